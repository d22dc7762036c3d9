import { Arena } from '#src/arena.js';
import { packBits } from '#src/mask/bits.js';
import { Random } from '#src/random.js';
import { patchRef, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';

/** Patches along each side of the square that masks repeat by. */
const PERIOD = 4;

/** Of the noise: three box blurs of so many pixels to either side, about what a network's output varies by. */
const BLUR_RADIUS = 10;

/** Luma below which the null engine calls a pixel stroma. */
const DARK = 200;

/**
 * Masks that fit together: PERIOD × PERIOD patches of `side` pixels, packed, row by row.
 *
 * @param {'smooth' | 'ragged'} kind a threshold of blurred noise, which meets itself at its edges; or the dark pixels of a real slide
 * @returns {Promise<{ period: number, masks: SharedArrayBuffer }>}
 */
export async function makeMasks(kind, side, slide) {
  const pixels = kind === 'smooth' ? blobs(side * PERIOD) : await darkPixels(slide, side);
  const bytes = (side * side) / 8;
  const masks = new SharedArrayBuffer(bytes * PERIOD ** 2);
  for (let row = 0; row < PERIOD; row++)
    for (let col = 0; col < PERIOD; col++) {
      const patch = new Uint8Array(side * side);
      for (let y = 0; y < side; y++) {
        const from = (row * side + y) * side * PERIOD + col * side;
        patch.set(pixels.subarray(from, from + side), y * side);
      }
      new Uint8Array(masks, (row * PERIOD + col) * bytes, bytes).set(packBits(patch, side, side));
    }
  return { period: PERIOD, masks };
}

function blobs(side) {
  const random = new Random(13);
  let field = Float64Array.from({ length: side * side }, () => random.next() / 2 ** 32);
  for (let pass = 0; pass < 3; pass++) field = transposedBlur(transposedBlur(field, side), side);
  const half = field.toSorted()[field.length >> 1];
  return Uint8Array.from(field, value => (value > half ? 1 : 0));
}

/** A running sum along the rows of a torus, written down the columns. */
function transposedBlur(field, side) {
  const out = new Float64Array(field.length);
  for (let y = 0; y < side; y++) {
    const at = x => field[y * side + ((x + side) % side)];
    let sum = 0;
    for (let x = -BLUR_RADIUS; x <= BLUR_RADIUS; x++) sum += at(x);
    for (let x = 0; x < side; x++) {
      out[x * side + y] = sum;
      sum += at(x + BLUR_RADIUS + 1) - at(x - BLUR_RADIUS);
    }
  }
  return out;
}

async function darkPixels(path, side) {
  const slide = await openSlide(path);
  const plan = planPatches(slide.info, { patchSize: side });
  const arena = new Arena({ slots: 1, patchSize: side });
  const pool = await ReaderPool.start({ threads: 1, arena });
  const out = new Uint8Array((side * PERIOD) ** 2);
  try {
    const reader = await pool.open(slide, plan, null);
    for (let row = 0; row < PERIOD; row++)
      for (let col = 0; col < PERIOD; col++) {
        await reader.read(patchRef(plan, col, row), 0);
        const rgb = arena.slot(0);
        for (let i = 0; i < side * side; i++) {
          const luma = 299 * rgb[3 * i] + 587 * rgb[3 * i + 1] + 114 * rgb[3 * i + 2];
          const y = row * side + Math.floor(i / side);
          out[y * side * PERIOD + col * side + (i % side)] = luma < DARK * 1000 ? 1 : 0;
        }
      }
    await reader.close();
  } finally {
    await pool.close();
  }
  return out;
}
