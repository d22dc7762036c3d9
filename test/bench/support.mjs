import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '#src/config/load.js';

export const FIXTURE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));

/** Runs `use` with an empty folder that is removed afterwards. */
export async function withFolder(use) {
  const folder = await mkdtemp(join(tmpdir(), 'stromaflow-bench-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Defaults with some options set, untouched by the environment; patches side by side, as the figures of docs/performance.md are. */
export const configWith = async options => ({
  ...(await loadConfig({}, {})).config,
  margin: 0,
  ...options,
});

/** The same parts, whose engine takes longer over each batch. @param oneByOne a batch waits for the one before */
export function slowedBy(ms, parts, oneByOne = false) {
  const { current } = parts.models;
  const { segmenter } = current;
  let last = Promise.resolve();
  const segment = async (slots, signal) => {
    const turn = oneByOne ? last.then(() => sleep(ms)) : sleep(ms);
    last = turn;
    await turn;
    return segmenter.segment(slots, signal);
  };
  const model = { ...current, segmenter: { info: segmenter.info, segment, close: () => segmenter.close() } };
  return { ...parts, models: { current: model, take: () => model, release: () => {}, reload: async () => {} } };
}

export const median = values => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
