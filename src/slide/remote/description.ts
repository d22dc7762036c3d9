import type { TileSourceDescription } from '../slide.js';
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

/** A description as other machines are told it: they fetch by themselves. */
export function toldElsewhere(source: TileSourceDescription): TileSourceDescription {
  if (source.kind !== REMOTE_TIFF_KIND) return source;
  const { memory: _, ...told } = source;
  return told as TileSourceDescription;
}
