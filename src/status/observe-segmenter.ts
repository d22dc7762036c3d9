import type { Segmenter } from '../engine/segmenter.js';

/** The same segmenter, with the engine's own time reported: seconds, and patches in the batch. */
export function observeSegmenter(
  segmenter: Segmenter,
  inferred: (seconds: number, patches: number) => void,
): Segmenter {
  return {
    get info() {
      return segmenter.info;
    },
    async segment(slots, signal) {
      const masks = await segmenter.segment(slots, signal);
      inferred(masks.seconds, slots.length);
      return masks;
    },
    close: () => segmenter.close(),
  };
}
