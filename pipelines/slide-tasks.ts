import { concatAll, defer, type Observable } from 'rxjs';
import { scenesAtAddress } from '../src/slide/open.js';
import { isAddress } from '../src/slide/remote/address.js';
import type { RemoteTraffic } from '../src/slide/slide.js';
import { scenesAt } from '../src/slide/tiff/open-tiff.js';
import { slidesAt } from '../src/slide/tile-folder/find-tiles.js';
import { nameSlides, remoteOptions } from './name-slides.js';
import type { Parts } from './parts.js';
import type { SlideTask } from './slide-task.js';

/**
 * Slides at paths as tasks of segmentSlides: files, folders of DICOM instances or tiles, each scene of an OME-TIFF, TIFFs at addresses. Names are given so that no two
 * slides share a folder, and stay with their slides (docs/decisions/0017-names-are-given.md).
 *
 * @param say hears, in a line, of slides that are not called by their files.
 */
export function slideTasks(
  paths: readonly string[],
  parts: Parts,
  say: (line: string) => void = () => undefined,
): Observable<SlideTask> {
  const named = async (): Promise<SlideTask[]> => {
    const asked = new Map<string, RemoteTraffic>();
    const slides = await Promise.all(paths.map(path => slidesOrNone(path, parts, asked)));
    return nameSlides(slides.flat(), parts, say, asked);
  };
  return defer(named).pipe(concatAll());
}

/** What cannot be looked into is a slide that fails, and the others go on. */
async function slidesOrNone(
  path: string,
  { config }: Pick<Parts, 'config'>,
  asked: Map<string, RemoteTraffic>,
): Promise<readonly string[]> {
  try {
    if (isAddress(path)) {
      const { slides, traffic } = await scenesAtAddress(path, { remote: remoteOptions(config) });
      if (traffic) asked.set(slides[0]!, traffic);
      return slides;
    }
    return slidesAt(path).flatMap(scenesAt);
  } catch {
    return [path];
  }
}
