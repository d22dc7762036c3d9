import { StromaflowError } from '../errors.js';
import type { DicomDescription } from './dicom/description.js';
import type { GrowingDicomDescription } from './dicom/growing-dicom-source.js';
import type { NdTiffDescription } from './ndtiff/description.js';
import type { OpenSlideDescription } from './openslide/openslide-source.js';
import type { RemoteTiffDescription } from './remote/description.js';
import type { ShippedDescription } from './shipped-source.js';
import type { TileSource, TileSourceDescription } from './slide.js';
import type { TiffDescription } from './tiff/description.js';
import type { TileFolderDescription } from './tile-folder/tile-set.js';

type OpenSource = (description: TileSourceDescription) => Promise<TileSource>;

/** Each kind of source loads its codecs only in the threads that use it. */
const KINDS: Readonly<Record<string, OpenSource>> = {
  tiff: async description => {
    const { TiffSource } = await import('./tiff/tiff-source.js');
    return TiffSource.open(description as TiffDescription);
  },
  'remote-tiff': async description => {
    const { openRemoteTiff } = await import('./remote/remote-tiff-source.js');
    return openRemoteTiff(description as RemoteTiffDescription);
  },
  dicom: async description => {
    const { DicomSource } = await import('./dicom/dicom-source.js');
    return DicomSource.open(description as DicomDescription);
  },
  'growing-dicom': async description => {
    const { openGrowingDicomSource } = await import('./dicom/growing-dicom-source.js');
    return openGrowingDicomSource(description as GrowingDicomDescription);
  },
  openslide: async description => {
    const { OpenSlideSource } = await import('./openslide/openslide-source.js');
    return OpenSlideSource.open(description as OpenSlideDescription);
  },
  'tile-folder': async description => {
    const { TileFolderSource } = await import('./tile-folder/tile-folder-source.js');
    return new TileFolderSource(description as TileFolderDescription);
  },
  ndtiff: async description => {
    const { NdTiffSource } = await import('./ndtiff/ndtiff-source.js');
    return new NdTiffSource(description as NdTiffDescription);
  },
  shipped: async description => {
    const { openShippedSource } = await import('./shipped-source.js');
    return openShippedSource(description as ShippedDescription, openTileSource);
  },
  image: async description => {
    const { openImageTileSource } = await import('./image/image-source.js');
    return openImageTileSource(description);
  },
};

/**
 * Opens a slide's pixels in the calling thread.
 *
 * @throws SLIDE_UNSUPPORTED for a kind nobody knows, SLIDE_UNREADABLE when the file is gone.
 */
export async function openTileSource(description: TileSourceDescription): Promise<TileSource> {
  const open = KINDS[description.kind];
  if (!open) throw new StromaflowError('SLIDE_UNSUPPORTED', `${description.path}: unknown kind "${description.kind}"`);
  return open(description);
}
