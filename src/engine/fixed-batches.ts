import type { EngineBackend } from './backend.js';

type Run = EngineBackend['run'];

/** Runs any number of patches through a model that takes exactly `batch` at a time; the last run is filled up. */
export function inFixedBatches(run: Run, batch: number, patchSize: number): Run {
  const area = patchSize * patchSize;
  const filling = new Uint8Array(area * 3);
  return async patches => {
    const mask = new Uint8Array(patches.length * area);
    const counts = new Int32Array(patches.length);
    const notFinite: number[] = [];
    let probabilities: Uint8Array | undefined;
    for (let from = 0; from < patches.length; from += batch) {
      const group = patches.slice(from, from + batch);
      const taken = group.length;
      while (group.length < batch) group.push(filling);
      const results = await run(group);
      mask.set(results.mask.subarray(0, taken * area), from * area);
      counts.set(results.counts.subarray(0, taken), from);
      // What the filling makes of the model is nobody's patch.
      for (const place of results.notFinite) if (place < taken) notFinite.push(from + place);
      if (!results.probabilities) continue;
      probabilities ??= new Uint8Array(patches.length * area);
      probabilities.set(results.probabilities.subarray(0, taken * area), from * area);
    }
    return { mask, counts, notFinite, ...(probabilities && { probabilities }) };
  };
}
