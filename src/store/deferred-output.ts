import type { SlideOutput } from './output.js';

/**
 * An output that is still being opened. Starting its thread takes as long as reading the first patches, which need not
 * wait for it; what fails in opening fails the first patch that is stored.
 */
export function deferredOutput(folder: string, opening: Promise<SlideOutput>): SlideOutput {
  let opened: SlideOutput | undefined;
  opening.then(
    output => {
      opened = output;
    },
    () => undefined,
  );
  return {
    folder,
    get unpainted() {
      return opened?.unpainted ?? [];
    },
    patch: async (...given) => (await opening).patch(...given),
    resume: async records => (await opening).resume(records),
    finish: async (...given) => (await opening).finish(...given),
    close: async () => {
      await opening.then(
        output => output.close(),
        () => undefined,
      );
    },
  };
}
