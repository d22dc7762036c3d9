import { constants, inflateRawSync } from 'node:zlib';
import { StromaflowError } from '../../errors.js';
import { type ByteSource, bufferBytes } from './byte-reader.js';

/** A deflated data set has to be in memory as a whole, in each thread that reads it. */
export const MAX_INFLATED = 256 * 2 ** 20;

/**
 * The data set behind the meta information of a deflated file (PS3.5, A.5).
 *
 * @throws SLIDE_TRUNCATED, SLIDE_UNREADABLE, SLIDE_UNSUPPORTED beyond 256 MiB.
 */
export function inflateDataSet(file: ByteSource, from: number): ByteSource {
  const { path } = file;
  if (file.size - from > MAX_INFLATED) throw tooLarge(path);
  const deflated = Buffer.alloc(Math.max(0, file.size - from));
  const bytes = deflated.subarray(0, file.read(deflated, from));
  try {
    return bufferBytes(path, inflateRawSync(bytes, { maxOutputLength: MAX_INFLATED, finishFlush: constants.Z_FINISH }));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path);
    if (code === 'Z_BUF_ERROR')
      throw new StromaflowError('SLIDE_TRUNCATED', `${path}: its deflated data set is cut off`, { cause: error });
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: its deflated data set is damaged`, { cause: error });
  }
}

const tooLarge = (path: string) =>
  new StromaflowError('SLIDE_UNSUPPORTED', `${path}: a deflated data set beyond ${MAX_INFLATED / 2 ** 20} MiB`);
