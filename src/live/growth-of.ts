import { statSync } from 'node:fs';
import { DICOM_KIND, type DicomDescription } from '../slide/dicom/description.js';
import type { NdTiffDescription } from '../slide/ndtiff/description.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff-description.js';
import type { TileFolderDescription } from '../slide/tile-folder/tile-set.js';
import { levelContent } from './dicom/content.js';
import { growthIdentity, tiffContent } from './growth.js';
import { ndTiffGrowth, tileFolderGrowth } from './growth-of-tiles.js';
import type { Growth } from './live-slide.js';

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
