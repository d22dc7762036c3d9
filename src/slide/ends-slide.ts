import { type ErrorCode, StromaflowError } from '../errors.js';

const ENDING: readonly ErrorCode[] = ['OPENSLIDE_FAILED', 'SLIDE_REMOTE', 'SLIDE_CHANGED'];

/** True of a failure that is none of a tile: no other tile of the slide can be read now, or what would be read is not the slide. */
export const endsSlide = (error: unknown): error is StromaflowError =>
  error instanceof StromaflowError && ENDING.includes(error.code);
