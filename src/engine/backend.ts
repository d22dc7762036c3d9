/** What runs inside the engine's thread: one model on one device. */
export interface EngineBackend {
  readonly name: string;
  readonly version: string;
  readonly device: string;
  /**
   * `pixels`: count patches of size × size × 3 bytes RGB. Gives the masks, a byte a pixel, 0 or 1, and the positive
   * pixels of each. The result may be reused by the next call.
   */
  run(pixels: Uint8Array<ArrayBuffer>, count: number): Promise<{ mask: Uint8Array; counts: Int32Array }>;
  close(): Promise<void>;
}

/** Everything a thread needs to make its backend; plain data. */
export interface BackendOptions {
  readonly engine: EngineName;
  /** Bundle folder; 'null' needs none. */
  readonly model: string;
  readonly cacheFolder: string;
  readonly patchSize: number;
  readonly batch: number;
  readonly threads: number;
  /** Only for 'null': how long a batch takes, in ms. */
  readonly nullDelay: number;
}

/** 'null' segments by brightness after a fixed delay: for tests and for measuring everything else. */
export const ENGINES = ['cpu', 'null'] as const;
export type EngineName = (typeof ENGINES)[number];
