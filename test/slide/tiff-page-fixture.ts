import type { TiffPage } from '#src/slide/tiff-page.js';

/** A page as readPages gives it: 1000 × 1000 pixels in tiles of JPEG, but for what is said. */
export const tiffPage = (facts: Partial<TiffPage> = {}): TiffPage => ({
  index: 0,
  width: 1000,
  height: 1000,
  tileWidth: 256,
  tileHeight: 256,
  tiled: true,
  compression: 7,
  photometric: 6,
  bitsPerSample: [8, 8, 8],
  samplesPerPixel: 3,
  planarConfiguration: 1,
  predictor: 1,
  sampleFormat: 1,
  subfileType: 0,
  description: '',
  jpegTables: undefined,
  spacing: undefined,
  hasIcc: false,
  vendor: undefined,
  directory: { offset: 0, entries: new Map() },
  subDirectories: [],
  ...facts,
});
