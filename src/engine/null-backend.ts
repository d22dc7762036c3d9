import { setTimeout as sleep } from 'node:timers/promises';
import { StromaflowError } from '../errors.js';
import type { BackendOptions, EngineBackend } from './backend.js';

/** Luma (ITU-R BT.601) below this counts as positive: most tissue, no glass. */
const DARK = 200;

/** What its probability is compared with. */
export const NULL_THRESHOLD = 0.5;

/**
 * No model: positive is dark. Deterministic, and as slow as it is told to be. Its probability falls from 1 (black) to 0 (white). It knows a
 * pixel and nothing around it, so that views of a patch change nothing.
 */
export function createNullBackend(options: BackendOptions): EngineBackend {
  const { patchSize, batch, nullDelay } = options;
  const area = patchSize * patchSize;
  const masks = new Uint8Array(area * batch);
  const counts = new Int32Array(batch);
  const probabilities = options.probabilities ? new Uint8Array(area * batch) : undefined;
  const scores = options.scores ? new Float32Array(area * batch) : undefined;
  return {
    name: 'null',
    version: '1',
    device: 'none',
    async run(patches) {
      const count = patches.length;
      for (const [patch, pixels] of patches.entries()) {
        const [from, to] = [patch * area, (patch + 1) * area];
        counts[patch] = markDark(pixels, masks.subarray(from, to));
        if (probabilities) eachByte(pixels, area, (byte, i) => (probabilities[from + i] = byte));
        if (scores) eachByte(pixels, area, (byte, i) => (scores[from + i] = byte / 255));
      }
      if (nullDelay > 0) await sleep(nullDelay);
      return {
        mask: masks.subarray(0, count * area),
        counts: counts.subarray(0, count),
        notFinite: [],
        ...(probabilities && { probabilities: probabilities.subarray(0, count * area) }),
        ...(scores && { scores: scores.subarray(0, count * area) }),
      };
    },
    evaluate: async () => {
      throw new StromaflowError('USAGE', 'the null engine has no logits', { fix: 'choose another --engine' });
    },
    close: async () => {},
  };
}

/** Above 127 exactly where the pixel is dark, as with a threshold of 0.5. */
const byteOf = (luma: number): number =>
  luma < DARK ? 255 - Math.floor((luma * 128) / DARK) : Math.floor(((255 - luma) * 127) / (255 - DARK));

/** Luma in thousandths. */
const lumaAt = (pixels: Uint8Array, at: number): number =>
  299 * pixels[at]! + 587 * pixels[at + 1]! + 114 * pixels[at + 2]!;

/** Writes 1 for each dark pixel and returns how many there are; without a branch, as benchmarks count this engine's time as the graph's. */
function markDark(pixels: Uint8Array, mask: Uint8Array): number {
  let positive = 0;
  for (let i = 0, at = 0; i < mask.length; i++, at += 3) {
    const dark = (lumaAt(pixels, at) - DARK * 1000) >>> 31;
    mask[i] = dark;
    positive += dark;
  }
  return positive;
}

function eachByte(pixels: Uint8Array, area: number, use: (byte: number, i: number) => void): void {
  for (let i = 0; i < area; i++) use(byteOf(lumaAt(pixels, 3 * i) / 1000), i);
}
