import { rm } from 'node:fs/promises';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import { goldenPatch } from './parity.js';

/** How fast a bundle is, and its int8 form, for the tables of docs/models.md. */
export interface Timed {
  /** Of one core's time, which other work on the machine does not change much. */
  readonly patchesPerSecond: number;
  /** ÷ those of FPN/ResNet34 in the same minute. */
  readonly times: number;
  readonly int8: {
    /** How many times faster than float32. */
    readonly times: number;
    /** Mean |Δlogit|. */
    readonly mean: number;
    /** Part of the pixels on the same side of logit 0. */
    readonly agreement: number;
  };
}

export const SIDE = 256;
export const THREADS = 2;
const ROUNDS = 5;
const PATCHES = 12;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

export interface OnePatch {
  /** Seconds of processor time that a batch of one takes, of all threads together. */
  run(): Promise<number>;
  close(): Promise<void>;
}

/** In turn with `reference`, so that a busy machine disturbs both alike. The int8 bundle is made beside it and taken away. */
export async function timeBundle(bundle: string, reference: OnePatch, cacheFolder: string): Promise<Timed> {
  const { comparison } = await quantiseBundle(bundle, `${bundle}-int8`, {
    patches: slidePatches(),
    threads: THREADS,
    cacheFolder,
    overwrite: true,
  });
  const whole = await onePatch(`${bundle}-int8`, cacheFolder);
  const own = await onePatch(bundle, cacheFolder);
  const seconds = [reference, own, whole].map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, one] of [reference, own, whole].entries()) seconds[i]!.push(await one.run());
  await own.close();
  await whole.close();
  await rm(`${bundle}-int8`, { recursive: true });
  const [theirs, ours, int8] = seconds.map(median) as [number, number, number];
  const { mean, agreement } = comparison;
  return { patchesPerSecond: 1 / ours, times: theirs / ours, int8: { times: ours / int8, mean, agreement } };
}

export async function onePatch(model: string, cacheFolder: string): Promise<OnePatch> {
  const arena = new Arena({ slots: 1, patchSize: SIDE });
  arena.slot(0).set((await goldenPatch(SIDE)).pixels);
  const segmenter = await createSegmenter({ engine: 'cpu', model, arena, batch: 1, threads: THREADS, cacheFolder });
  const run = async () => {
    const before = process.cpuUsage();
    await segmenter.segment([0]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  return { close: () => segmenter.close(), run };
}

/** Squares of the committed patch, as many as four corners and their mirror images give. */
async function* slidePatches(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { pixels } = await goldenPatch(512);
  for (let i = 0; i < PATCHES; i++) {
    const [top, left] = [((i * 96) % 257) & ~1, (Math.floor(i / 3) * 85) % 257];
    const patch = new Uint8Array(SIDE * SIDE * 3);
    for (let y = 0; y < SIDE; y++)
      patch.set(pixels.subarray(((top + y) * 512 + left) * 3, ((top + y) * 512 + left + SIDE) * 3), y * SIDE * 3);
    yield patch;
  }
}
