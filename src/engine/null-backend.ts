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
        let positive = 0;
        for (let i = 0, at = patch * area; i < area; i++, at++) {
          const luma = 299 * pixels[3 * i]! + 587 * pixels[3 * i + 1]! + 114 * pixels[3 * i + 2]!;
          const dark = luma < DARK * 1000 ? 1 : 0;
          masks[at] = dark;
          positive += dark;
          if (probabilities) probabilities[at] = byteOf(luma / 1000);
          if (scores) scores[at] = byteOf(luma / 1000) / 255;
        }
        counts[patch] = positive;
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
