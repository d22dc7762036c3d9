import type { PresenceChange } from '../watch/watched-folder.js';
import type { Terminal } from './terminal.js';

/** Says that a watched folder went away, or is back: a line on standard error, and a value under --json. */
export function sayPresence(
  { folder, away, seconds }: PresenceChange,
  { problem, json }: Pick<Terminal, 'problem' | 'json'>,
): void {
  if (away === undefined) {
    problem(`${folder}: is back after ${Math.round(seconds)} s; its slides go on`);
    json({ event: 'folder-back', folder, seconds });
    return;
  }
  problem(`${away}; its slides wait until it is back`);
  json({ event: 'folder-away', folder, reason: away });
}
