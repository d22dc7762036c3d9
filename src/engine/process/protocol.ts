import type { WireError } from '../../errors.js';
import type { BackendOptions, LayerOutput } from '../backend.js';
import type { EvaluateRequest } from '../protocol.js';

/** Messages between an engine's thread and the engine's process. Pixels and masks go through the exchange. */

export type ProcessRequest =
  | { readonly type: 'start'; readonly options: BackendOptions }
  | { readonly type: 'run'; readonly count: number }
  | EvaluateRequest
  | { readonly type: 'close' };

export type ProcessReply =
  | { readonly type: 'ready'; readonly name: string; readonly version: string; readonly device: string }
  | {
      readonly type: 'ran';
      readonly counts: Int32Array;
      readonly notFinite: readonly number[];
      readonly probabilities: boolean;
    }
  | { readonly type: 'layers'; readonly layers: LayerOutput[] }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly error: WireError };

/** Number of the exchange's descriptor in the engine's process: after the three standard streams and the channel. */
export const EXCHANGE_FD = 4;
