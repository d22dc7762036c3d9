import { Arena } from '#src/arena.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';
import { loadOpenSlide } from './openslide.mjs';

const PATCH = 512;

/** Times a round reads the whole slide, each time from a fresh opening: the slide is small and a round is short. */
const PASSES = 4;

/**
 * Patch reading, ours against OpenSlide's `openslide_read_region`, in one run: rounds of both are interleaved, every
 * pass starts from an opened file with empty caches, and the medians are compared. Every patch is read in full on both
 * sides (no tissue filter drops one); ours also counts its tissue and paints the overview.
 *
 * Where the patches are coarser than the slide, OpenSlide reads the pixels they are made of and leaves it at that; ours averages
 * them, too.
 *
 * @param {{ slide: string, threads?: number, rounds?: number, mpp?: number, spacing?: number }} options mpp: of the slide,
 * instead of its own; spacing: of the patches, that of the slide unless given; both in µm.
 * @returns {Promise<{ ours: number, openslide: number | null, ratio: number | null }>} Mpx/s of patches; null where
 * libopenslide is not installed.
 */
export async function benchRead({ slide, threads = 2, rounds = 7, mpp, spacing }) {
  const opened = await openSlide(slide, mpp ? { mpp } : {});
  const plan = planPatches(opened.info, { patchSize: PATCH, spacing: spacing ?? opened.info.mpp });
  const arena = new Arena({ slots: threads * 6, patchSize: PATCH });
  const pool = await ReaderPool.start({ threads, arena });
  const openslide = loadOpenSlide();
  const ours = [];
  const theirs = [];
  try {
    for (let round = -2; round < rounds; round++) {
      const mine = await readOurs(pool, opened, plan, arena.shape.slots);
      const other = openslide ? await readOpenSlide(openslide, slide, plan, threads) : 0;
      // The first rounds compile the code and fill the system's file cache.
      if (round < 0) continue;
      ours.push(mine);
      theirs.push(other);
    }
  } finally {
    await pool.close();
  }
  const mine = median(ours);
  const other = openslide ? median(theirs) : null;
  return { ours: mine, openslide: other, ratio: other === null ? null : mine / other };
}

async function readOurs(pool, opened, plan, slots) {
  const handles = [];
  for (let pass = 0; pass < PASSES; pass++) handles.push(await pool.open(opened, plan, null));
  const work = patchesOf(handles, plan);
  const start = performance.now();
  const lane = async slot => {
    for (const { handle, ref } of work) await handle.read(ref, slot);
  };
  await Promise.all(Array.from({ length: slots }, (_, slot) => lane(slot)));
  const speed = megapixelsASecond(plan, start);
  for (const handle of handles) await handle.close();
  return speed;
}

async function readOpenSlide(openslide, path, plan, threads) {
  // One handle a thread and pass, as ours has.
  const lanes = Array.from({ length: threads }, () => Array.from({ length: PASSES }, () => openslide.open(path)));
  const passes = Array.from({ length: PASSES }, (_, pass) => pass);
  const work = patchesOf(passes, plan);
  const side = Math.round(PATCH * plan.scale);
  const buffers = lanes.map(() => new Uint32Array(side * side));
  const start = performance.now();
  const lane = async (handles, pixels) => {
    for (const { handle: pass, ref } of work) {
      await handles[pass].readRegion(pixels, ref.x, ref.y, plan.level, side, side);
    }
  };
  await Promise.all(lanes.map((handles, index) => lane(handles, buffers[index])));
  const speed = megapixelsASecond(plan, start);
  for (const handles of lanes) for (const handle of handles) handle.close();
  return speed;
}

function* patchesOf(handles, plan) {
  for (const handle of handles) for (const ref of patchRefs(plan)) yield { handle, ref };
}

/** Patches of a whole grid, edges included: both sides fill every patch. */
function megapixelsASecond(plan, start) {
  return (PASSES * plan.cols * plan.rows * PATCH * PATCH) / (performance.now() - start) / 1000;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
