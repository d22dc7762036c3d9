import { StromaflowError } from '../../errors.js';
import { readHere } from '../readable.js';
import type { OpenedSlide, RemoteTraffic, SlideInfo } from '../slide.js';
import { withSpacing } from '../slide-facts.js';
import type { TiffDescription } from '../tiff/description.js';
import { readScenes, readTiffFacts } from '../tiff/open-tiff.js';
import type { SlideAddress } from './address.js';
import { REMOTE_TIFF_KIND, type RemoteTiffDescription } from './description.js';
import type { RangeOptions } from './ranges.js';
import { RemoteFile } from './remote-file.js';
import { parseFetched } from './structure.js';

export interface RemoteOptions extends RangeOptions {
  readonly mpp?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a TIFF at an address, as openSlide does one in a folder. Its `remote` has to be closed.
 *
 * @param id name of the slide
 * @throws SLIDE_REMOTE, SLIDE_CHANGED, and as openSlide.
 */
export async function openRemoteSlide(
  address: SlideAddress,
  id: string,
  { mpp, signal, ...options }: RemoteOptions = {},
): Promise<OpenedSlide> {
  const { shown, scene } = address;
  const file = await RemoteFile.open(address, options, signal);
  try {
    const { size } = file.revision;
    const facts = await parseFetched(
      shown,
      size,
      parts => file.read(parts),
      bytes => readTiffFacts(bytes, shown, size, { scene }),
    );
    const { format, properties, stored, bounds } = facts;
    const spaced = withSpacing(shown, facts, mpp);
    const info: SlideInfo = {
      ...{ id, path: scene === undefined ? shown : `${shown}#${scene}`, format, ...spaced, properties },
      fingerprint: scene === undefined ? file.fingerprint : `${file.fingerprint}-scene${scene}`,
      ...(bounds ? { bounds } : {}),
    };
    const { levels } = facts.describe(spaced.levels) as TiffDescription;
    const { revision, memory } = file;
    const source: RemoteTiffDescription = { kind: REMOTE_TIFF_KIND, path: shown, revision, levels, memory };
    const opened = await readHere({ info, source, ...(stored ? { stored } : {}) }, signal);
    return { ...opened, remote: file };
  } catch (error) {
    file.close();
    signal?.throwIfAborted();
    throw error instanceof StromaflowError && error.code === 'SLIDE_UNSUPPORTED' && !error.fix.includes(HERE)
      ? new StromaflowError('SLIDE_UNSUPPORTED', error.message, { cause: error, fix: `${error.fix}; ${HERE}` })
      : error;
  }
}

const HERE = 'at an address OpenSlide is not asked: copy the slide to a folder if OpenSlide reads it';

/** Numbers of the scenes of tissue in a TIFF at an address, none where it is one slide, and what was asked for that. */
export async function remoteScenes(
  address: SlideAddress,
  { signal, ...options }: RemoteOptions = {},
): Promise<{ readonly scenes: readonly number[]; readonly traffic: RemoteTraffic }> {
  const file = await RemoteFile.open(address, options, signal);
  try {
    const { size } = file.revision;
    const scenes = await parseFetched(
      address.shown,
      size,
      parts => file.read(parts),
      bytes => readScenes(bytes, address.shown, size),
    );
    return { scenes, traffic: { ...file.traffic } };
  } finally {
    file.close();
  }
}

/**
 * What another machine was told of a slide, so that it can be read here.
 *
 * @throws SLIDE_REMOTE; SLIDE_CHANGED where the address leads to another file than there
 */
export async function connectRemote(
  source: RemoteTiffDescription,
  address: SlideAddress,
  options: RangeOptions = {},
): Promise<{ readonly source: RemoteTiffDescription; readonly remote: RemoteFile }> {
  const remote = await RemoteFile.open(address, { ...options, revision: source.revision });
  return { source: { ...source, memory: remote.memory }, remote };
}
