import type { SlideOutput } from './output.js';

/** Keeps nothing on disk: for replays, whose result is a score. */
export const openNoOutput = async ({ folder }: { readonly folder: string }): Promise<SlideOutput> => ({
  folder,
  patch: async () => undefined,
  resume: async () => [],
  unpainted: [],
  finish: async summary => summary,
  close: async () => undefined,
});
