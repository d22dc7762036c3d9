import type { BatchMasks, EngineInfo, Segmenter } from './segmenter.js';

/** A segmenter that starts with its first batch: what turns out to have none needs no engine. */
export class LazySegmenter implements Segmenter {
  readonly info: EngineInfo;
  readonly #start: () => Promise<Segmenter>;
  #started: Promise<Segmenter> | undefined;

  /** `info`: what is known of it before. */
  constructor(info: EngineInfo, start: () => Promise<Segmenter>) {
    this.info = info;
    this.#start = start;
  }

  /** Rejects with what the start rejects with, or as Segmenter does. */
  async segment(slots: readonly number[], signal?: AbortSignal): Promise<BatchMasks> {
    this.#started ??= this.#start();
    return (await this.#started).segment(slots, signal);
  }

  async close(): Promise<void> {
    const segmenter = await this.#started?.catch(() => undefined);
    await segmenter?.close();
  }
}
