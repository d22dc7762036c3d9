import { StromaflowError } from '../errors.js';
import type { SlideNote } from '../slide/note.js';

/**
 * Looks, when a slide is over, for images that lie outside of the grid that it states.
 *
 * @param notes of the slide: one is added of a complete slide where few images do.
 * @param check gives a note where few do, and throws where the grid is not theirs (src/slide/outside-grid.ts).
 * @returns what a slide that stalled lacks, in words: it may still get the others.
 * @throws what `check` throws of a complete one.
 */
export function judgeOutside(
  state: 'complete' | 'stalled',
  notes: SlideNote[],
  check: () => SlideNote | undefined,
): string | undefined {
  try {
    const note = check();
    if (note && state === 'complete') notes.push(note);
    return note && `a place for images: ${note.message}`;
  } catch (error) {
    if (state === 'complete' || !(error instanceof StromaflowError)) throw error;
    return `a place for images: ${error.message}`;
  }
}
