import type { SourceFolder } from '../src/stage/session-parts.js';
import type { SlideTask } from './slide-task.js';

/** Of a slide that is watched: whether what it lies in is there. */
export function folderOf({ path, presence }: SlideTask): { folder?: SourceFolder } {
  if (!presence) return {};
  return {
    folder: {
      isAway: () => presence.isAway(path),
      back: signal => presence.back(path, signal),
      get outages() {
        return presence.outages;
      },
    },
  };
}
