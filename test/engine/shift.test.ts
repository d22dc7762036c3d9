import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { evaluateImages } from '#src/engine/evaluate.js';
import type { NormMode } from '#src/model/norm/statistics.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';
import { STARTER } from '../support/formula-weights.js';
import { SLIDE } from '../support/paths.js';

const SIDE = 512;
const HALF = SIDE / 2;
/** Pixels nearer to a border of either window may differ: they see less of the tissue around them. */
const RIM = 64;

let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'shift-'));
});
afterAll(() => rm(cacheFolder, { recursive: true }));

interface Picture {
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** The whole committed slide, padded to whole patches. */
async function wholeSlide(): Promise<Picture> {
  const opened = await openSlide(SLIDE);
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
  return { pixels, width, height };
}

function windowAt({ pixels, width }: Picture, left: number, top: number): Picture {
  const cut = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    const from = ((top + y) * width + left) * 3;
    cut.set(pixels.subarray(from, from + SIDE * 3), y * SIDE * 3);
  }
  return { pixels: cut, width: SIDE, height: SIDE };
}

/** Part of the pixels, RIM and more from the borders of both, on which windows half a patch apart are of one mind. */
async function agreement(
  slide: Picture,
  corners: readonly (readonly [number, number])[],
  norm: NormMode,
): Promise<number> {
  const windows = corners.flatMap(([x, y]) => [windowAt(slide, x, y), windowAt(slide, x + HALF, y + HALF)]);
  const evaluations = await evaluateImages(STARTER, windows, { engine: 'cpu', norm, cacheFolder });
  let [equal, all] = [0, 0];
  for (let i = 0; i < evaluations.length; i += 2) {
    const [here, there] = [evaluations[i]!, evaluations[i + 1]!].map(({ outputs }) => outputs[0]!.values);
    for (let y = RIM; y < HALF - RIM; y++)
      for (let x = RIM; x < HALF - RIM; x++) {
        const [a, b] = [here![(y + HALF) * SIDE + x + HALF]!, there![y * SIDE + x]!];
        if (a > 0 === b > 0) equal++;
        all++;
      }
  }
  return equal / all;
}

test('a grid half a patch away makes the same mask of the committed slide', async () => {
  const slide = await wholeSlide();
  const corners = [0, 512, 1024].flatMap(y => [256, 768].map(x => [x, y + 256] as const));
  const frozen = await agreement(slide, corners, 'frozen');
  const own = await agreement(slide, corners, 'patch');
  process.stderr.write(`agreement: frozen ${frozen.toFixed(4)}, patch ${own.toFixed(4)}\n`);
  expect(frozen).toBeGreaterThan(0.97);
  expect(own).toBeLessThan(frozen);
}, 600_000);
