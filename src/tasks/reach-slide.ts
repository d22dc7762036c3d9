import { StromaflowError } from '../errors.js';
import { type FilePieces, sampleOf, samplePieces } from '../slide/file-samples.js';
import { addressBelow, isAddress, parseAddress, type SlideAddress } from '../slide/remote/address.js';
import { REMOTE_TIFF_KIND, type RemoteTiffDescription } from '../slide/remote/description.js';
import { connectRemote } from '../slide/remote/open-remote.js';
import type { RangeOptions } from '../slide/remote/ranges.js';
import { RemoteFile } from '../slide/remote/remote-file.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff/description.js';
import type { Brief } from './brief.js';

/** How a worker gets at slides. */
export interface Reach {
  /** Where the folder of the slides is here: a folder, or an address with all that it takes to be let in; undefined: where it is for ingest. */
  readonly mounted: string | undefined;
  readonly remote?: RangeOptions;
}

/**
 * A slide of a brief as reader threads can open it here. One at an address is read there, one of a folder below `mounted` where that is an
 * address; of that the same samples must say that it is the file which ingest reads. What is `remote` has to be closed.
 *
 * @throws SLIDE_REMOTE, SLIDE_CHANGED, SLIDE_UNSUPPORTED
 */
export async function reachSlide(
  { info, source, root }: Pick<Brief, 'info' | 'source' | 'root'>,
  { mounted, remote: options = {} }: Reach,
): Promise<Pick<OpenedSlide, 'info' | 'source' | 'remote'>> {
  const base = mounted !== undefined && isAddress(mounted) ? parseAddress(mounted) : undefined;
  if (source.kind === REMOTE_TIFF_KIND) {
    const description = source as RemoteTiffDescription;
    return { info, ...(await connectRemote(description, signedAs(description.path, base), options)) };
  }
  if (!base) return { info, source };
  const below = source.path.startsWith(`${root}/`) ? source.path.slice(root.length + 1) : undefined;
  if (source.kind !== 'tiff' || below === undefined)
    throw new StromaflowError(
      'SLIDE_UNSUPPORTED',
      `${info.id}: is no TIFF of one file, which is all that is read at an address`,
      {
        fix: 'mount its folder on the workers, and give them that with --source',
      },
    );
  const address = addressBelow(base, below);
  const remote = await RemoteFile.open(address, options);
  try {
    await checkSame(remote, address, info.fingerprint);
    const { levels } = source as TiffDescription;
    const { revision, memory } = remote;
    const description: RemoteTiffDescription = {
      kind: REMOTE_TIFF_KIND,
      path: address.shown,
      revision,
      levels,
      memory,
    };
    return { info, source: description, remote };
  } catch (error) {
    remote.close();
    throw error;
  }
}

/** What ingest was given may have had a signature, which it tells nobody; a worker has its own. */
function signedAs(shown: string, base: SlideAddress | undefined): SlideAddress {
  if (base?.shown === shown) return base;
  if (base && shown.startsWith(`${base.shown.replace(/\/$/, '')}/`)) {
    const rest = shown.slice(base.shown.replace(/\/$/, '').length + 1);
    return addressBelow(base, decodeURIComponent(rest));
  }
  return parseAddress(shown);
}

/** @throws SLIDE_CHANGED */
async function checkSame(remote: RemoteFile, { shown }: SlideAddress, fingerprint: string): Promise<void> {
  const { size } = remote.revision;
  const pieces: FilePieces = samplePieces(size);
  const sample = sampleOf(size, await remote.read(pieces));
  const [stated, , sampled] = fingerprint.split('-');
  if (stated === String(size) && sampled === sample) return;
  throw new StromaflowError('SLIDE_CHANGED', `${shown}: is not the file that ingest reads, or it still grows`, {
    fix: 'give --source the address of the folder that ingest was given; slides that grow are read in a folder',
  });
}
