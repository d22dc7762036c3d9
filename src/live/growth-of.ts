import { statSync } from 'node:fs';
import { DICOM_KIND, type DicomDescription } from '../slide/dicom/description.js';
import type { NdTiffDescription } from '../slide/ndtiff/description.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff/description.js';
import type { TileFolderDescription } from '../slide/tile-folder/tile-set.js';
import type { KnownRun } from '../store/ledger.js';
import { levelContent } from './dicom/content.js';
import { growthIdentity, tiffContent } from './growth.js';
import { ndTiffGrowth, tileFolderGrowth } from './growth-of-tiles.js';
import type { Growth, LiveSlide } from './live-slide.js';
import type { WholeSlide } from './whole-slide.js';

/** The growth of a slide that may have been followed before it was finished; undefined for slides of other kinds. */
export function growthOf({ info, source }: OpenedSlide): Growth | undefined {
  if (source.kind === DICOM_KIND) {
    const { identity, files, levels } = source as DicomDescription;
    return { identity, content: level => levelContent(levels[level]!, files) };
  }
  if (source.kind === 'tile-folder') return tileFolderGrowth(source as TileFolderDescription);
  if (source.kind === 'ndtiff') return ndTiffGrowth(source as NdTiffDescription);
  if (source.kind !== 'tiff') return undefined;
  const { path, levels } = source as TiffDescription;
  return {
    identity: growthIdentity(statSync(path), info.levels[0]!),
    content: level => {
      const { offsets, byteCounts } = levels[level]!;
      return tiffContent(path, offsets, byteCounts);
    },
  };
}

/** Says whether a run in the ledger, or results of one, are of this slide: as it is now, or as it grew. */
export function isRunOf(slide: LiveSlide | Pick<WholeSlide, 'opened'>): (run: KnownRun) => boolean {
  const { opened } = slide;
  return ({ fingerprint, growth }) => {
    if (fingerprint === opened.info.fingerprint) return true;
    const identity = ('growth' in slide ? slide.growth : growthOf(opened))?.identity;
    return identity !== undefined && (growth === identity || fingerprint.startsWith(`${identity}-`));
  };
}

/** True when a run was completed with just this content: whatever its files lack, they lacked then. */
export function wasCompleted(slide: OpenedSlide, { state, fingerprint, growth, finished }: KnownRun): boolean {
  if (state !== 'completed') return false;
  if (fingerprint === slide.info.fingerprint) return true;
  const own = growth === undefined ? undefined : growthOf(slide);
  return (
    own !== undefined &&
    own.identity === growth &&
    slide.info.levels.some((_, level) => own.content(level) === finished)
  );
}
