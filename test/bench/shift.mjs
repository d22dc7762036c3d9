import { Arena } from '#src/arena.js';
import { evaluateImages } from '#src/engine/evaluate.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';
import { FIXTURE } from './support.mjs';

const SIDE = 512;
const HALF = SIDE / 2;
/** Pixels nearer to a border of either window may differ: they see less of the tissue around them. */
const RIM = 64;
/** Corners of windows, all with tissue, whose neighbours half a patch away lie in the committed slide too. */
const CORNERS = [0, 512, 1024].flatMap(y => [256, 768].map(x => [x, y + 256]));

/**
 * Does a mask depend on where the grid falls? Windows of 512 px and others half a patch to the right and below: part of the pixels, RIM and
 * more from the borders of both, on which the two are of one mind. 1: the grid does not matter.
 *
 * @returns {Promise<{ patch: number, frozen: number }>} by each patch's own statistics, and by the bundle's
 */
export async function shiftAgreement({
  model,
  cacheFolder,
  slide = FIXTURE,
  norms = ['patch', 'frozen'],
  engine = 'cpu',
}) {
  const picture = await wholeSlide(slide);
  const found = {};
  for (const norm of norms) found[norm] = await agreement(picture, { model, norm, engine, cacheFolder });
  return found;
}

/** `npm run bench -- shift`. */
export async function benchShift({ model, say = () => {} }) {
  const found = await shiftAgreement({ model });
  for (const [norm, part] of Object.entries(found))
    say(
      `  ${norm.padEnd(7)} ${(100 * part).toFixed(2)} % of the pixels agree, ${(100 - 100 * part).toFixed(2)} % differ`,
    );
  say('  bar, frozen: at most 3 % differ');
  return found;
}

/** The slide padded to whole patches. */
async function wholeSlide(path) {
  const opened = await openSlide(path);
  const plan = planPatches(opened.info, { patchSize: SIDE });
  const [width, height] = [plan.cols * SIDE, plan.rows * SIDE];
  const pixels = new Uint8Array(width * height * 3);
  const arena = new Arena({ slots: 1, patchSize: SIDE });
  const readers = await ReaderPool.start({ threads: 1, arena });
  const slide = await readers.open(opened, plan, null);
  for (const ref of patchRefs(plan)) {
    await slide.read(ref, 0);
    for (let y = 0; y < SIDE; y++)
      pixels.set(
        arena.slot(0).subarray(y * SIDE * 3, (y + 1) * SIDE * 3),
        ((ref.row * SIDE + y) * width + ref.col * SIDE) * 3,
      );
  }
  await slide.close();
  await readers.close();
  return { pixels, width };
}

function windowAt({ pixels, width }, left, top) {
  const cut = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    const from = ((top + y) * width + left) * 3;
    cut.set(pixels.subarray(from, from + SIDE * 3), y * SIDE * 3);
  }
  return { pixels: cut, width: SIDE, height: SIDE };
}

async function agreement(picture, { model, norm, engine, cacheFolder }) {
  const windows = CORNERS.flatMap(([x, y]) => [windowAt(picture, x, y), windowAt(picture, x + HALF, y + HALF)]);
  const options = { engine, norm, ...(cacheFolder && { cacheFolder }) };
  const evaluations = await evaluateImages(model, windows, options);
  let [equal, all] = [0, 0];
  for (let i = 0; i < evaluations.length; i += 2) {
    const [here, there] = [evaluations[i], evaluations[i + 1]].map(({ outputs }) => outputs[0].values);
    for (let y = RIM; y < HALF - RIM; y++)
      for (let x = RIM; x < HALF - RIM; x++) {
        const [a, b] = [here[(y + HALF) * SIDE + x + HALF], there[y * SIDE + x]];
        if (a > 0 === b > 0) equal++;
        all++;
      }
  }
  return equal / all;
}
