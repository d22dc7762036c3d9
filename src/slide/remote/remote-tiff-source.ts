import { StromaflowError } from '../../errors.js';
import { TiffSource } from '../tiff/tiff-source.js';
import type { RemoteTiffDescription } from './description.js';
import { MailboxReader } from './mailbox.js';

/**
 * Reads the tiles of a TIFF at an address, in a thread that may stand still: not in the one that fetches them.
 *
 * @throws SLIDE_UNREADABLE where nobody fetches.
 */
export async function openRemoteTiff({ path, levels, memory }: RemoteTiffDescription): Promise<TiffSource> {
  if (!memory) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: nobody fetches it in this process`);
  const reader = new MailboxReader(memory);
  return TiffSource.over(
    { path, levels },
    { read: (into, position) => reader.read(into, position), close: () => undefined },
  );
}
