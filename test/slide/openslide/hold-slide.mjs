// Opens the slide given through OpenSlide and prints the number of the process that holds it. Then it lives on, or with
// 'forget' ends without closing anything.
import { OpenSlideSource } from '#src/slide/openslide/openslide-source.js';

const [, , path, way] = process.argv;
const levels = [{ number: 0, width: 2220, height: 2967, downsample: 1, mpp: 0.5, tileWidth: 240, tileHeight: 240 }];
const source = await OpenSlideSource.open({ kind: 'openslide', path, levels });
await source.readTile(0, 0, 0, new Uint8Array(240 * 240 * 3));
process.stdout.write(`${source.pid}\n`);
if (way !== 'forget') setInterval(() => undefined, 1000);
