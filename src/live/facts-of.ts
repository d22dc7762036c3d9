import { type Stats, statSync } from 'node:fs';
import type { Presence } from '../watch/presence.js';

/**
 * A file's facts; undefined when it is gone; 'away' when nobody can tell, because the folder that it lies in is away.
 *
 * @throws the system's error when a share does not answer as it should.
 */
export function factsOf(path: string, presence: Presence): Stats | 'away' | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats) return stats;
  if (presence.isAway(path)) return 'away';
  // It may have come back between the two questions.
  return statSync(path, { throwIfNoEntry: false });
}
