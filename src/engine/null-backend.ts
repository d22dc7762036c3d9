import { setTimeout as sleep } from 'node:timers/promises';
import { StromaflowError } from '../errors.js';
import type { BackendOptions, EngineBackend } from './backend.js';

/** Luma (ITU-R BT.601) below this counts as positive: most tissue, no glass. */
const DARK = 200;

/** No model: positive is dark. Deterministic, and as slow as it is told to be. */
export function createNullBackend({ patchSize, batch, nullDelay }: BackendOptions): EngineBackend {
  const area = patchSize * patchSize;
  const masks = new Uint8Array(area * batch);
  const counts = new Int32Array(batch);
  return {
    name: 'null',
    version: '1',
    device: 'none',
    async run(pixels, count) {
      for (let patch = 0; patch < count; patch++) {
        let positive = 0;
        for (let i = patch * area; i < (patch + 1) * area; i++) {
          const luma = 299 * pixels[3 * i]! + 587 * pixels[3 * i + 1]! + 114 * pixels[3 * i + 2]!;
          const dark = luma < DARK * 1000 ? 1 : 0;
          masks[i] = dark;
          positive += dark;
        }
        counts[patch] = positive;
      }
      if (nullDelay > 0) await sleep(nullDelay);
      return { mask: masks.subarray(0, count * area), counts: counts.subarray(0, count) };
    },
    evaluate: async () => {
      throw new StromaflowError('USAGE', 'the null engine has no logits', { fix: 'choose another --engine' });
    },
    close: async () => {},
  };
}
