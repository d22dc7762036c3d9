// A whole slide by this product on its CPU engine: `node toolbox-child.mjs <slide> <bundle> <batch> <threads>`; see toolbox.py.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { VERSION } from '#src/version.js';
import { peakBytes, processorSeconds } from './processor.mjs';
import { configWith, withFolder } from './support.mjs';

const [path, model, batch, threads] = process.argv.slice(2);
const say = facts => console.log(JSON.stringify(facts));

await withFolder(async out => {
  // Every patch, side by side and by its own statistics: what the other side does.
  const options = { engine: 'cpu', norm: 'patch', batch: +batch, threads: +threads, 'keep-empty': true };
  const parts = await openParts(await configWith({ out, model, ...options }));
  say({ version: VERSION });
  let round = 0;
  for await (const _ of createInterface({ input: process.stdin })) {
    const id = `round-${++round}`;
    const [clock, processor] = [performance.now(), processorSeconds()];
    const task = { path, id, open: () => openSlide(path, { id }) };
    const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
    const seconds = (performance.now() - clock) / 1000;
    if (result.state !== 'completed') throw new Error(`ended as ${result.state}`, { cause: result.error });
    say({ seconds, processor: processorSeconds() - processor, peak: peakBytes(), stroma: stromaOf(join(out, id)) });
  }
  await parts.close();
});

/** Pixels of stroma, in glass too, of the patches that lie inside the slide. */
function stromaOf(folder) {
  const lines = readFileSync(join(folder, 'patches.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const full = Math.max(...lines.map(({ validPixels }) => validPixels));
  return lines
    .filter(({ validPixels }) => validPixels === full)
    .reduce((sum, { stromaPixels, outsidePixels = 0 }) => sum + stromaPixels + outsidePixels, 0);
}
