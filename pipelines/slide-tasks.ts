import { concatAll, from, type Observable } from 'rxjs';
import { scenesAt } from '../src/slide/tiff/open-tiff.js';
import { slidesAt } from '../src/slide/tile-folder/find-tiles.js';
import { nameSlides } from './name-slides.js';
import type { Parts } from './parts.js';
import type { SlideTask } from './slide-task.js';

/**
 * Slides at paths as tasks of segmentSlides: files, folders of DICOM instances or tiles, each scene of an OME-TIFF. Names are given so that no two
 * slides share a folder, and stay with their slides (docs/decisions/0017-names-are-given.md).
 *
 * @param say hears, in a line, of slides that are not called by their files.
 */
export function slideTasks(
  paths: readonly string[],
  parts: Parts,
  say: (line: string) => void = () => undefined,
): Observable<SlideTask> {
  return from(nameSlides(paths.flatMap(slidesOrNone), parts, say)).pipe(concatAll());
}

/** What cannot be looked into is a slide that fails, and the others go on. */
function slidesOrNone(path: string): string[] {
  try {
    return slidesAt(path).flatMap(scenesAt);
  } catch {
    return [path];
  }
}
