import { StromaflowError } from '../errors.js';
import { outputError } from '../store/final-file.js';

/** What writing a file of a run came to. */
export function runError(error: unknown, path: string): StromaflowError {
  const known = outputError(error, path);
  if (known.code !== 'OUTPUT_FULL') return known;
  const fix = 'free space on the disk of --runs; the same command goes on from the last checkpoint';
  return new StromaflowError('OUTPUT_FULL', known.message, { cause: known.cause, fix });
}
