import type { EngineBackend } from './backend.js';

type Run = EngineBackend['run'];

/** Runs any number of patches through a model that takes exactly `batch` at a time; the last run is filled up. */
export function inFixedBatches(run: Run, batch: number, patchSize: number): Run {
  const area = patchSize * patchSize;
  return async (pixels, count) => {
    const mask = new Uint8Array(count * area);
    const counts = new Int32Array(count);
    let probabilities: Uint8Array | undefined;
    const group = new Uint8Array(batch * area * 3);
    for (let from = 0; from < count; from += batch) {
      const taken = Math.min(batch, count - from);
      group.set(pixels.subarray(from * area * 3, (from + taken) * area * 3));
      const results = await run(group, batch);
      mask.set(results.mask.subarray(0, taken * area), from * area);
      counts.set(results.counts.subarray(0, taken), from);
      if (!results.probabilities) continue;
      probabilities ??= new Uint8Array(count * area);
      probabilities.set(results.probabilities.subarray(0, taken * area), from * area);
    }
    return { mask, counts, ...(probabilities && { probabilities }) };
  };
}
