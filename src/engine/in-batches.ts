import type { BackendMasks, EngineBackend } from './backend.js';

type Run = EngineBackend['run'];

export interface InBatches {
  /** Most patches of a run. */
  readonly batch: number;
  readonly patchSize: number;
  /** Runs are of exactly `batch` patches; the last is filled up. */
  readonly filled: boolean;
}

/** Runs any number of patches through a model that takes `batch` at a time. */
export function inBatches(run: Run, { batch, patchSize, filled }: InBatches): Run {
  const area = patchSize * patchSize;
  const filling = new Uint8Array(area * 3);
  return async patches => {
    if (patches.length === batch || (!filled && patches.length < batch)) return run(patches);
    const mask = new Uint8Array(patches.length * area);
    const counts = new Int32Array(patches.length);
    const notFinite: number[] = [];
    let probabilities: Uint8Array | undefined;
    let scores: Float32Array | undefined;
    for (let from = 0; from < patches.length; from += batch) {
      const group = patches.slice(from, from + batch);
      const taken = group.length;
      while (filled && group.length < batch) group.push(filling);
      const results: BackendMasks = await run(group);
      mask.set(results.mask.subarray(0, taken * area), from * area);
      counts.set(results.counts.subarray(0, taken), from);
      // What the filling makes of the model is nobody's patch.
      for (const place of results.notFinite) if (place < taken) notFinite.push(from + place);
      if (results.probabilities) {
        probabilities ??= new Uint8Array(patches.length * area);
        probabilities.set(results.probabilities.subarray(0, taken * area), from * area);
      }
      if (results.scores) {
        scores ??= new Float32Array(patches.length * area);
        scores.set(results.scores.subarray(0, taken * area), from * area);
      }
    }
    return { mask, counts, notFinite, ...(probabilities && { probabilities }), ...(scores && { scores }) };
  };
}
