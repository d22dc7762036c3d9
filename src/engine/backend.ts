import type { NormMode } from '../model/norm/statistics.js';
import type { Tta } from '../model/views.js';
import type { EngineName } from './catalogue.js';

/** What runs inside the engine's thread: one model on one device. */
export interface EngineBackend {
  readonly name: string;
  readonly version: string;
  readonly device: string;
  /**
   * `patches`: at most `batch`, each of size × size × 3 bytes RGB, maybe in shared memory. Gives the masks, a byte a pixel,
   * 0 or 1, and the positive pixels of each; where they were asked for and the backend can, probabilities, a byte a pixel,
   * round(255 p), and scores. The result may be reused by the next call.
   */
  run(patches: readonly Uint8Array[]): Promise<BackendMasks>;
  /** What `layers` asked for, of one image of height × width × 3 bytes RGB (multiples of 32): float32, NCHW. */
  evaluate(pixels: Uint8Array<ArrayBuffer>, height: number, width: number): Promise<LayerOutput[]>;
  close(): Promise<void>;
}

export interface BackendMasks {
  readonly mask: Uint8Array;
  readonly counts: Int32Array;
  readonly probabilities?: Uint8Array;
  /** A float a pixel: the probability that the threshold is compared with. */
  readonly scores?: Float32Array;
  /** Patches, by their place, of whose scores one is NaN or infinite: their masks mean nothing. */
  readonly notFinite: readonly number[];
}

export interface LayerOutput {
  readonly name: string;
  /** [1, channels, height, width]. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export type Isolation = 'process' | 'thread';

/** Everything a thread needs to make its backend; plain data. */
export interface BackendOptions {
  readonly engine: EngineName;
  /** Bundle folder, or several: see loadModel; 'null' needs none. */
  readonly model: string;
  /** The version it must have; a bundle that has changed since is refused rather than run under the old name. */
  readonly modelVersion: string | null;
  /** How its group and instance norms are run; see LoadOptions. */
  readonly norm?: NormMode | undefined;
  /** Statistics that they are frozen by instead of the bundle's own; see LoadOptions. */
  readonly fitted?: string | undefined;
  /** Views that are run of each patch; the patch alone unless given. */
  readonly tta?: Tta | undefined;
  readonly cacheFolder: string;
  readonly patchSize: number;
  readonly batch: number;
  readonly threads: number;
  /** Number of the NVIDIA GPU, from 0. */
  readonly device: number;
  /** For `evaluate`: names of layers besides 'logits'. */
  readonly layers: readonly string[];
  /** `run` gives probabilities too. */
  readonly probabilities?: boolean;
  /** `run` gives scores too. */
  readonly scores?: boolean;
  /** The network computes in float16. */
  readonly half?: boolean;
  /** 'process': in a process of its own, which a native crash ends alone; 'thread' unless given. */
  readonly isolation?: Isolation;
  /** In a process of its own: longest time for a batch in seconds, after which it counts as hung; 0 is no limit. */
  readonly runSeconds?: number;
  /** Only for 'null': how long a batch takes, in ms. */
  readonly nullDelay: number;
}
