/** How tiles can be coded, by TIFF’s numbers, whatever the format they lie in. */
export const COMPRESSION = {
  none: 1,
  lzw: 5,
  jpeg: 7,
  deflate: 8,
  packBits: 32773,
  adobeDeflate: 32946,
  zstd: 50000,
  /** Aperio's JPEG 2000, whatever the photometric tag says. */
  j2kYCbCr: 33003,
  j2kRgb: 33005,
  /** Whose colours the photometric tag tells. */
  j2k: 34712,
} as const;

export const isJ2k = (compression: number): boolean =>
  compression === COMPRESSION.j2kYCbCr || compression === COMPRESSION.j2kRgb || compression === COMPRESSION.j2k;

/** Photometric interpretations that can be shown as RGB. */
export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, yCbCr: 6 } as const;

export interface Alpha {
  /** Which sample of a pixel it is, from 0. */
  readonly sample: number;
  /** The colours are multiplied with it already. */
  readonly premultiplied: boolean;
}

/** What a codec must know of the tiles of one level, in TIFF's words. */
export interface TileCoding {
  /** Pixels. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** One of COMPRESSION. */
  readonly compression: number;
  /** One of PHOTOMETRIC. */
  readonly photometric: number;
  readonly samplesPerPixel: number;
  /** Transparency, under which the slide is white; absent: there is none, or none that the file calls so. */
  readonly alpha?: Alpha;
  /** 1 none, 2 horizontal differences. */
  readonly predictor: number;
  /** Tables that all tiles share (TIFF technical note 2). */
  readonly jpegTables: Uint8Array | undefined;
}
