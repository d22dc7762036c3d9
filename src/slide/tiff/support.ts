import { type Alpha, COMPRESSION, isJ2k, PHOTOMETRIC } from '../../codec/tile-coding.js';
import { StromaflowError } from '../../errors.js';
import type { TiffPage } from './page.js';

const coloursOf = ({ photometric }: TiffPage): number =>
  photometric === PHOTOMETRIC.rgb || photometric === PHOTOMETRIC.yCbCr ? 3 : 1;

export const isGrey = (page: TiffPage): boolean => coloursOf(page) === 1;

export const extraSamplesOf = (page: TiffPage): number => Math.max(0, page.samplesPerPixel - coloursOf(page));

/**
 * The sample that is called transparency. A fourth sample that nobody explains is none: libtiff takes it for transparency, so
 * that zeros in it make tissue vanish, Pillow and Bio-Formats leave it out.
 */
export function alphaOf(page: TiffPage): Alpha | undefined {
  const extra = page.extraSamples.slice(0, extraSamplesOf(page)).findIndex(kind => kind === 1 || kind === 2);
  if (extra < 0) return undefined;
  return { sample: coloursOf(page) + extra, premultiplied: page.extraSamples[extra] === 1 };
}

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

/** Compressions that are not read, by the names that people know. */
const UNREAD: Readonly<Record<number, string>> = {
  2: 'CCITT',
  3: 'CCITT fax 3',
  4: 'CCITT fax 4',
  6: 'old-style JPEG',
  22610: 'JPEG XR',
  33007: 'JPEG XR',
  34661: 'JBIG',
  34887: 'LERC',
  34892: 'lossy JPEG of raw pictures',
  34925: 'LZMA',
  34926: 'Zstandard of old drafts',
  34927: 'WebP of old drafts',
  34934: 'JPEG XR',
  50001: 'WebP',
  50002: 'JPEG XL',
  52546: 'JPEG XL',
};
const NO_COLOURS: Readonly<Record<number, string>> = {
  3: 'a palette',
  4: 'a transparency mask',
  5: 'CMYK',
  8: 'CIE L*a*b*',
  9: 'ICC L*a*b*',
  10: 'ITU L*a*b*',
  32803: 'a colour filter array',
};
const SAMPLE_KINDS: Readonly<Record<number, string>> = { 2: 'signed', 3: 'floating-point', 5: 'complex', 6: 'complex' };

/** The first thing about an image that cannot be decoded. */
export function unsupported(page: TiffPage): string | undefined {
  const { compression, photometric, samplesPerPixel } = page;
  const jpeg = compression === COMPRESSION.jpeg;
  if (!isKnown(compression)) {
    const name = UNREAD[compression];
    return `compression ${compression}${name ? ` (${name})` : ''} is not supported`;
  }
  if (!Object.values<number>(PHOTOMETRIC).includes(photometric)) {
    const name = NO_COLOURS[photometric];
    return `colour model ${photometric}${name ? ` (${name})` : ''} is not supported`;
  }
  const j2k = isJ2k(compression);
  if (j2k && samplesPerPixel !== 3) return `JPEG 2000 of ${samplesPerPixel} samples is not supported`;
  if (photometric === PHOTOMETRIC.yCbCr && !jpeg && !j2k) return 'YCbCr without JPEG is not supported';
  if (photometric === PHOTOMETRIC.whiteIsZero && jpeg) return 'inverted JPEG is not supported';
  const bits = page.bitsPerSample[0];
  const kind = SAMPLE_KINDS[page.sampleFormat];
  if (kind) return `${kind} samples of ${bits} bits are not supported, only unsigned ones of 8`;
  if (page.bitsPerSample.some(bits => bits !== 8)) return `${bits}-bit samples are not supported, only 8-bit`;
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
