// Reads a slide with pool after pool and closes each while its threads decode: what stops them badly ends the process.

import { Arena } from '#src/arena.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';

const POOLS = 12;

const slide = await openSlide(process.argv[2], { mpp: 0.5 });
const plan = planPatches(slide.info, { patchSize: 256, spacing: 0.5 });
const arena = new Arena({ slots: 16, patchSize: 256 });
let read = 0;
for (let i = 0; i < POOLS; i++) {
  const pool = await ReaderPool.start({ threads: 2, arena });
  const handle = await pool.open(slide, plan, null);
  const reads = [...patchRefs(plan)].map((ref, slot) => handle.read(ref, slot));
  const settled = Promise.allSettled(reads);
  await reads[i % 4];
  await Promise.all([pool.close(), pool.close()]);
  for (const { status, reason } of await settled) {
    if (status === 'fulfilled') read++;
    else if (reason.code !== 'SLIDE_UNREADABLE') throw reason;
  }
}
if (read < POOLS) throw new Error('nothing was read');
process.stdout.write('closed them all');
