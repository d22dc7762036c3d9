import { StromaflowError } from '../errors.js';
import type { TiffPage } from './tiff-page.js';

/** TIFF compression codes that can be decoded. */
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
} as const;

export const isJ2k = (compression: number): boolean =>
  compression === COMPRESSION.j2kYCbCr || compression === COMPRESSION.j2kRgb;

/** Photometric interpretations that can be shown as RGB. */
export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, yCbCr: 6 } as const;

/** A decoded tile larger than this is refused: a striped image of this kind must be converted first. */
const MAX_TILE_BYTES = 256 * 2 ** 20;

/** Nothing but the compression of a TIFF is not ours: whoever can decode it reads the slide as it is meant. */
export class ForeignCoding extends StromaflowError {
  constructor(path: string, reason: string) {
    super('SLIDE_UNSUPPORTED', `${path}: ${reason}`);
  }
}

/** @throws SLIDE_UNSUPPORTED naming the first thing about a level that cannot be decoded (ForeignCoding where that is all). */
export function checkSupported(path: string, page: TiffPage): void {
  const reason = unsupported(page);
  if (!reason) return;
  const known = page.photometric === PHOTOMETRIC.yCbCr ? COMPRESSION.jpeg : COMPRESSION.none;
  if (!isKnown(page.compression) && !unsupported({ ...page, compression: known }))
    throw new ForeignCoding(path, reason);
  throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${reason}`);
}

const isKnown = (compression: number): boolean => Object.values<number>(COMPRESSION).includes(compression);

function unsupported(page: TiffPage): string | undefined {
  const { compression, photometric, samplesPerPixel } = page;
  const jpeg = compression === COMPRESSION.jpeg;
  if (!isKnown(compression)) return `compression ${compression} is not supported`;
  if (!Object.values<number>(PHOTOMETRIC).includes(photometric)) return `colour model ${photometric} is not supported`;
  const j2k = isJ2k(compression);
  if (j2k && samplesPerPixel !== 3) return `JPEG 2000 of ${samplesPerPixel} samples is not supported`;
  if (photometric === PHOTOMETRIC.yCbCr && !jpeg && !j2k) return 'YCbCr without JPEG is not supported';
  if (photometric === PHOTOMETRIC.whiteIsZero && jpeg) return 'inverted JPEG is not supported';
  if (page.bitsPerSample.some(bits => bits !== 8) || page.sampleFormat !== 1)
    return `${page.bitsPerSample[0]}-bit samples are not supported, only 8-bit`;
  const colour = photometric === PHOTOMETRIC.rgb || photometric === PHOTOMETRIC.yCbCr;
  if (colour ? samplesPerPixel < 3 || samplesPerPixel > (jpeg ? 3 : 5) : samplesPerPixel < 1 || samplesPerPixel > 2)
    return `${samplesPerPixel} samples a pixel are not supported`;
  if (jpeg && !colour && samplesPerPixel !== 1) return 'JPEG of grey and alpha is not supported';
  if (page.planarConfiguration !== 1 && samplesPerPixel > 1) return 'separate colour planes are not supported';
  if (page.predictor !== 1 && page.predictor !== 2) return `predictor ${page.predictor} is not supported`;
  if (page.tileWidth * page.tileHeight * Math.max(3, samplesPerPixel) > MAX_TILE_BYTES)
    return `is stored in pieces of ${page.tileWidth} × ${page.tileHeight} pixels, too large to stream`;
  return undefined;
}
