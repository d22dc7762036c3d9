import { StromaflowError } from '../../errors.js';
import { type Facts, MAX_FRAMES } from './facts.js';
import type { TransferSyntax } from './transfer-syntax.js';

/** A decoded frame larger than this is refused. */
const MAX_FRAME_BYTES = 256 * 2 ** 20;

/**
 * Photometric interpretations that are decoded, by codec (PS3.5, section 8.2); the decoder makes all of them RGB. Of JPEG 2000 the
 * codestream says whether its components were transformed, so that all of YCbCr mean the same (dicom-j2k-decoder.ts).
 */
const COLOURS: Readonly<Record<TransferSyntax['codec'], readonly string[]>> = {
  none: ['RGB', 'YBR_FULL'],
  deflate: ['RGB', 'YBR_FULL'],
  jpeg: ['RGB', 'YBR_FULL_422', 'YBR_FULL'],
  jpeg2000: ['RGB', 'YBR_ICT', 'YBR_RCT', 'YBR_FULL', 'YBR_FULL_422'],
};

const GREYS: Readonly<Record<TransferSyntax['codec'], readonly string[]>> = {
  none: ['MONOCHROME2', 'MONOCHROME1'],
  deflate: ['MONOCHROME2', 'MONOCHROME1'],
  jpeg: ['MONOCHROME2'],
  jpeg2000: [],
};

/**
 * @param size bytes of the data set.
 * @returns what of a sound instance this reader does not decode.
 * @throws SLIDE_UNREADABLE for facts that cannot be.
 */
export function checkFacts(
  path: string,
  facts: Facts,
  size: number,
  syntax: TransferSyntax,
): StromaflowError | undefined {
  const { rows, columns, frames, matrixColumns, matrixRows } = facts;
  const unreadable = (what: string) => new StromaflowError('SLIDE_UNREADABLE', `${path}: ${what}`);
  if (!(rows > 0 && columns > 0 && matrixColumns > 0 && matrixRows > 0)) throw unreadable('states no size');
  // A frame takes some bytes: a count beyond the file's size is damage, found before anything is allocated by it.
  if (!(Number.isInteger(frames) && frames > 0 && frames <= MAX_FRAMES && frames <= size))
    throw unreadable('states an impossible number of frames');
  const reason = whyUnsupported(facts, syntax);
  return reason === undefined ? undefined : new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${reason}`);
}

function whyUnsupported(facts: Facts, { codec, name, unsupported }: TransferSyntax): string | undefined {
  const { rows, columns, samplesPerPixel, photometric, signed, bitsAllocated } = facts;
  if (unsupported) return `its DICOM transfer syntax (${name}) is not supported`;
  if (bitsAllocated !== 8 || signed) return `${signed ? 'signed ' : ''}${bitsAllocated}-bit samples are not supported`;
  if (samplesPerPixel !== 3 && samplesPerPixel !== 1) return `${samplesPerPixel} samples a pixel are not supported`;
  const allowed = (samplesPerPixel === 3 ? COLOURS : GREYS)[codec];
  // Only what is a defined term: a free text in its place must not get out.
  const colour = /^[A-Z0-9_ ]{1,16}$/.test(photometric) ? ` (${photometric})` : '';
  if (!allowed.includes(photometric))
    return `its colour model${colour} is not supported ${codec === 'none' ? 'without compression' : `in ${name}`}`;
  if (rows * columns * 3 > MAX_FRAME_BYTES) return `frames of ${columns} × ${rows} pixels are not supported`;
  return undefined;
}
