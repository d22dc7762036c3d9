import { Arena } from '#src/arena.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';

/** The first `count` whole patches of a slide at its own spacing, side × side × 3 bytes each. */
export async function readPatches(path, side, count) {
  const slide = await openSlide(path);
  const plan = planPatches(slide.info, { patchSize: side });
  const [cols, rows] = [Math.floor(plan.width / side), Math.floor(plan.height / side)];
  const whole = [...patchRefs(plan)].filter(({ col, row }) => col < cols && row < rows);
  const arena = new Arena({ slots: 1, patchSize: side });
  const pool = await ReaderPool.start({ threads: 1, arena });
  try {
    const reader = await pool.open(slide, plan, null);
    const out = new Uint8Array(Math.min(count, whole.length) * side * side * 3);
    for (const [i, ref] of whole.slice(0, count).entries()) {
      await reader.read(ref, 0);
      out.set(arena.slot(0), i * side * side * 3);
    }
    await reader.close();
    return out;
  } finally {
    await pool.close();
  }
}
