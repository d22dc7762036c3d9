import type { TiffLevel } from '../tiff/description.js';
import type { Revision } from './answers.js';

export const REMOTE_TIFF_KIND = 'remote-tiff';

/** Description of a TIFF at an address for the reader threads. A type, so that it fits TileSourceDescription. */
export type RemoteTiffDescription = {
  readonly kind: typeof REMOTE_TIFF_KIND;
  /** The address, without its secrets. */
  readonly path: string;
  readonly revision: Revision;
  readonly levels: readonly TiffLevel[];
  /** Through which the thread that opened it fetches; absent in what other machines are told. */
  readonly memory?: SharedArrayBuffer;
};
