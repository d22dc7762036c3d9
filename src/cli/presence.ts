import type { PresenceChange } from '../watch/watched-folder.js';
import type { Terminal } from './terminal.js';

/** Says that a watched folder went away, or is back: a line on standard error, and a value under --json. */
export function sayPresence({ folder, away, seconds }: PresenceChange, terminal: Terminal): void {
  const at = new Date().toISOString();
  if (away === undefined) {
    process.stderr.write(`stromaflow: ${at} ${folder}: is back after ${Math.round(seconds)} s; its slides go on\n`);
    terminal.json({ folder, state: 'back', seconds, at });
    return;
  }
  process.stderr.write(`stromaflow: ${at} ${away}; its slides wait until it is back\n`);
  terminal.json({ folder, state: 'away', reason: away, at });
}
