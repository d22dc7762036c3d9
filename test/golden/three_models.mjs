/**
 * The picture docs/images/three-models.jpg: three models' overview.png of the same slide side by side, with their stroma areas.
 *     node test/golden/three_models.mjs <picture to write> <title>=<results folder of a slide> …
 * The results are those of `stromaflow segment test/fixtures/CMU-1-Small-Region.svs --model <bundle> --out <folder>`; the two
 * models besides the starter come from three_models.py.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

const COLUMN = 420;
const GAP = 12;
const HEAD = 58;

const [target, ...panels] = process.argv.slice(2);
if (!target || panels.length === 0) throw new Error('usage: three_models.mjs <picture> <title>=<results folder> …');

const escaped = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const columns = await Promise.all(
  panels.map(async panel => {
    const at = panel.indexOf('=');
    const [title, folder] = [panel.slice(0, at), panel.slice(at + 1)];
    const { area, timings } = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
    const { data, info } = await sharp(join(folder, 'overview.png'))
      .flatten({ background: '#fff' })
      .resize({ width: COLUMN })
      .png()
      .toBuffer({ resolveWithObject: true });
    return { title, data, height: info.height, area, timings };
  }),
);

const width = columns.length * (COLUMN + GAP) + GAP;
const height = HEAD + Math.max(...columns.map(column => column.height)) + GAP;
const left = i => GAP + i * (COLUMN + GAP);
const words = columns.map(({ title, area }, i) => {
  const text = (y, size, weight, content) =>
    `<text x="${left(i)}" y="${y}" font-family="sans-serif" font-size="${size}" font-weight="${weight}">${escaped(content)}</text>`;
  const areas = `stroma ${area.stromaMm2.toFixed(3)} mm² of ${area.tissueMm2.toFixed(3)} mm² tissue`;
  return text(24, 18, 700, title) + text(46, 15, 400, areas);
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEAD}">${words.join('')}</svg>`;

await sharp({ create: { width, height, channels: 3, background: '#fff' } })
  .composite([
    { input: Buffer.from(svg), left: 0, top: 0 },
    ...columns.map(({ data }, i) => ({ input: data, left: left(i), top: HEAD })),
  ])
  .jpeg({ quality: 84, mozjpeg: true })
  .toFile(target);
for (const { title, area, timings } of columns)
  process.stdout.write(`${title}: ${JSON.stringify({ area, timings })}\n`);
