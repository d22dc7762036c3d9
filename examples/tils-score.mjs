// The TILs score of a slide, from cells that another tool detected and the stroma that Stromaflow found:
//
//     node examples/tils-score.mjs <slide> cells.csv|cells.geojson [--nats nats://127.0.0.1:4222]
//
// Cells are points in level-0 pixels: a CSV with columns x and y, or GeoJSON (Point, or polygons, whose first vertex counts). Of them those count that
// lie in the stroma. The score is TIGER's: a cell takes 256 px² at 0.5 µm/px (16 × 16 px, 64 µm²), so
//
//     score = 100 × cells in stroma × 64 µm² ÷ stroma area in µm²     (%, at most 100)
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { connect } from 'stromaflow';

const CELL_UM2 = 256 * 0.5 ** 2;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { nats: { type: 'string', default: 'nats://127.0.0.1:4222' } },
});
const [slide, file] = positionals;
if (!slide || !file) throw new Error('give the id of a slide and a file of cells');

const cells = pointsOf(await readFile(file, 'utf8'));
const client = await connect({ url: values.nats });
try {
  const mask = await client.slideMask(slide);
  if (!mask.complete) process.stderr.write(`${slide} is not done: ${mask.masks} masks so far\n`);
  const inStroma = cells.filter(([x, y]) => isStroma(mask, x / mask.downsample, y / mask.downsample)).length;
  const stromaUm2 = mask.bits.reduce((sum, byte) => sum + ones(byte), 0) * mask.mpp ** 2;
  const score = stromaUm2 > 0 ? Math.min(100, (100 * inStroma * CELL_UM2) / stromaUm2) : null;
  const line = { slide, run: mask.run, cells: cells.length, inStroma, stromaMm2: stromaUm2 / 1e6, tilsPercent: score };
  process.stdout.write(`${JSON.stringify({ ...line, complete: mask.complete })}\n`);
} finally {
  await client.close();
}

function isStroma({ bits, width, height }, x, y) {
  const [col, row] = [Math.floor(x), Math.floor(y)];
  if (col < 0 || row < 0 || col >= width || row >= height) return false;
  return ((bits[row * ((width + 7) >> 3) + (col >> 3)] >> (7 - (col & 7))) & 1) === 1;
}

function ones(byte) {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

function pointsOf(text) {
  if (/^\s*[[{]/.test(text)) {
    const json = JSON.parse(text);
    const features = Array.isArray(json) ? json : (json.features ?? [json]);
    return features.map(({ geometry }) => geometry.coordinates.flat(Infinity).slice(0, 2));
  }
  const [head, ...lines] = text.trim().split(/\r?\n/);
  const names = head.split(',').map(name => name.trim().toLowerCase());
  const at = ['x', 'y'].map(name => names.indexOf(name));
  if (at.includes(-1)) throw new Error('the CSV has no columns x and y');
  return lines.map(line => at.map(index => Number(line.split(',')[index])));
}
