import type { Segmenter } from './segmenter.js';

/** What an engine does with nothing before and behind it. */
export interface ModelSpeed {
  readonly patchesPerSecond: number;
  /** Wall-clock seconds of all batches, and of each patch. */
  readonly seconds: number;
  readonly secondsPerPatch: number;
}

/**
 * Model-only speed: `batches` full batches over the arena's first slots, two at a time as in the pipeline, so that one
 * waits at the engine's door while the other runs. Fill the slots first if what the pixels show matters.
 */
export async function benchModelOnly(segmenter: Segmenter, batches: number, signal?: AbortSignal): Promise<ModelSpeed> {
  const slots = Array.from({ length: segmenter.info.batch }, (_, slot) => slot);
  await segmenter.segment(slots, signal);
  const startedAt = performance.now();
  let left = batches;
  const lane = async () => {
    while (left-- > 0) await segmenter.segment(slots, signal);
  };
  await Promise.all([lane(), lane()]);
  const seconds = (performance.now() - startedAt) / 1000;
  const patches = batches * slots.length;
  return { patchesPerSecond: patches / seconds, seconds, secondsPerPatch: seconds / patches };
}
