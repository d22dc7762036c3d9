import type { TileDecoder } from '../../codec/decoder.js';
import { JpegDecoder } from '../../codec/jpeg/jpeg-decoder.js';
import { COMPRESSION, PHOTOMETRIC } from '../../codec/tile-coding.js';
import type { TiffLevel } from '../tiff/description.js';
import { isTransformed } from './codestream.js';
import type { DicomLevel } from './description.js';
import { NativeDecoder } from './native-decoder.js';

/** The codec of one level's frames. */
export async function frameDecoder(level: DicomLevel): Promise<TileDecoder> {
  if (level.codec === 'jpeg') return new JpegDecoder(asTiff(level, COMPRESSION.jpeg));
  if (level.codec !== 'jpeg2000') return new NativeDecoder(level);
  const { J2kDecoder } = await import('../../codec/j2k/j2k-decoder.js');
  const rgb = await J2kDecoder.load(asTiff(level, COMPRESSION.j2kRgb));
  if (level.photometric === 'RGB') return rgb;
  const yCbCr = await J2kDecoder.load(asTiff(level, COMPRESSION.j2kYCbCr));
  return {
    input: length => rgb.input(length),
    decode: (frame, rows, into) => (isTransformed(frame) === false ? yCbCr : rgb).decode(frame, rows, into),
  };
}

/** What the codecs of TIFF tiles need to know of a level. */
function asTiff(level: DicomLevel, compression: number): TiffLevel {
  const grey = level.samplesPerPixel === 1;
  const colour = level.photometric === 'RGB' ? PHOTOMETRIC.rgb : PHOTOMETRIC.yCbCr;
  return {
    ...level,
    offsets: level.starts,
    byteCounts: level.ends,
    compression,
    photometric: grey ? PHOTOMETRIC.blackIsZero : colour,
    predictor: 1,
    jpegTables: undefined,
  };
}
