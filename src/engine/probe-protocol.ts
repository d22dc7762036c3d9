import type { WireError } from '../errors.js';
import type { BackendOptions } from './backend.js';

/** What is tried: a backend, with `full` also at the size of the model's own patches; or, with `adapter`, only what WebGPU's GPU is called. */
export interface ProbeRequest {
  readonly backend: Partial<BackendOptions>;
  readonly full?: boolean;
  readonly adapter?: boolean;
}

/** How a try went. */
export type ProbeReply =
  | {
      readonly type: 'ran';
      readonly version: string;
      readonly device: string;
      readonly loadSeconds: number;
      readonly patchSeconds: number;
      readonly patchSide: number;
      /** Pictures on which a score is NaN or infinite. */
      readonly notFinite: readonly string[];
    }
  | { readonly type: 'adapter'; readonly adapter: string }
  | { readonly type: 'failed'; readonly error: WireError };

/** Side of the patch that is tried first, in pixels: small, so that the slowest engine answers. */
export const PROBE_SIDE = 64;
