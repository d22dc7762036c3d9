import type { PatchPlan } from '../../read/patch.js';
import type { TileSource } from '../../slide/slide.js';

/**
 * RGB of a patch's core for a picture (core × core × 3 bytes): one pixel of the level for each, without the averaging the
 * model's input gets where the level is finer. Outside the slide and where the file stores nothing: white.
 */
export async function readCorePixels(
  source: TileSource,
  plan: PatchPlan,
  col: number,
  row: number,
): Promise<Uint8Array> {
  const { core, level, scale } = plan;
  const geometry = source.levels[level]!;
  const { tileWidth, tileHeight, width, height } = geometry;
  const out = new Uint8Array(core * core * 3).fill(255);
  const columns = positions(col * core, core, scale, width);
  const rows = positions(row * core, core, scale, height);
  const tile = new Uint8Array(tileWidth * tileHeight * 3);
  for (const tileRow of new Set(rows.map(y => Math.floor(y / tileHeight)))) {
    for (const tileCol of new Set(columns.map(x => Math.floor(x / tileWidth)))) {
      if ((await source.readTile(level, tileCol, tileRow, tile)) === 'missing') continue;
      for (const [j, y] of rows.entries()) {
        if (Math.floor(y / tileHeight) !== tileRow) continue;
        for (const [i, x] of columns.entries()) {
          if (Math.floor(x / tileWidth) !== tileCol) continue;
          const from = ((y - tileRow * tileHeight) * tileWidth + x - tileCol * tileWidth) * 3;
          out.set(tile.subarray(from, from + 3), (j * core + i) * 3);
        }
      }
    }
  }
  return out;
}

/** Level pixels under the centres of plan pixels, up to the level's edge. */
function positions(start: number, count: number, scale: number, size: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((start + i + 0.5) * scale)).filter(at => at < size);
}
