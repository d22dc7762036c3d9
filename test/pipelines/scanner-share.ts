import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A clock that files have their times by: fixed, off by some seconds, or that of this machine. */
export type FileClock = { readonly at: number } | { readonly off: number } | undefined;

/**
 * A folder on a share that scanners write to, step by step, and that can be away: what writes to it then waits, as on a share
 * that hangs.
 */
export class ScannerShare {
  readonly root: string;
  readonly #elsewhere: string;
  #isAway = false;
  /** The longest time in which a file that is not whole stood still, in milliseconds. */
  #longestPause = 0;
  #writers = 0;
  #parked = 0;
  #wake: (() => void)[] = [];

  constructor(folder: string) {
    this.root = join(folder, 'scanner');
    this.#elsewhere = join(folder, 'elsewhere');
    mkdirSync(this.root);
  }

  get longestPause(): number {
    return this.#longestPause;
  }

  /** A piece came so long after the one before it (performance.now()); returns the time now. */
  wrote(before: number | undefined): number {
    const now = performance.now();
    this.#longestPause = Math.max(this.#longestPause, now - (before ?? now));
    return now;
  }

  /** Counts a writer that may be in the middle of a step; one that `write`s only never is. */
  async writing<T>(work: () => Promise<T>): Promise<T> {
    await this.pass();
    this.#writers += 1;
    try {
      return await work();
    } finally {
      this.#writers -= 1;
      this.#changed();
    }
  }

  /** Waits while the share is away; a writer calls it between two steps. */
  async pass(): Promise<void> {
    while (this.#isAway) await this.#change();
  }

  /** As pass, for one inside `writing`. */
  async park(): Promise<void> {
    this.#parked += 1;
    this.#changed();
    await this.pass();
    this.#parked -= 1;
  }

  /** Takes the folder away once no writer is in the middle of anything. */
  async takeAway(leaves: 'an empty folder' | 'nothing'): Promise<void> {
    this.#isAway = true;
    while (this.#parked < this.#writers) await this.#change();
    renameSync(this.root, this.#elsewhere);
    if (leaves === 'an empty folder') mkdirSync(this.root);
  }

  bringBack(leaves: 'an empty folder' | 'nothing'): void {
    if (leaves === 'an empty folder') rmdirSync(this.root);
    renameSync(this.#elsewhere, this.root);
    this.#isAway = false;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise(resolve => this.#wake.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** How a finished file comes to the share. */
export interface Copying {
  /** 'grown': it grows from its begin; 'reserved': its size is there first; 'shuffled': so, and its pieces in any order; 'renamed': under another name. */
  readonly how: 'grown' | 'reserved' | 'shuffled' | 'renamed';
  readonly clock: FileClock;
  readonly pieces: number;
  /** Milliseconds behind each piece, in turn. */
  readonly pauses: readonly number[];
  /** Order of the pieces of a shuffled one. */
  readonly order: readonly number[];
}

/**
 * Copies bytes to a name of the share, as a program does that sets the file's time with each piece.
 *
 * @param onPiece is told the number of pieces there are, in the same step; it may return another name, to which the file goes.
 */
export async function copyTo(
  share: ScannerShare,
  name: string,
  bytes: Buffer,
  { how, clock, pieces, pauses, order }: Copying,
  onPiece: (piece: number) => string | undefined = () => undefined,
): Promise<void> {
  let at = how === 'renamed' ? `.${name}.part` : name;
  const step = Math.ceil(bytes.length / pieces);
  const numbers = Array.from({ length: Math.ceil(bytes.length / step) }, (_, piece) => piece);
  if (how === 'shuffled') numbers.sort((a, b) => (order[a] ?? 0) - (order[b] ?? 0));
  const stamp = (): void => {
    if (!clock) return;
    const time = 'at' in clock ? clock.at : Date.now() / 1000 + clock.off;
    utimesSync(join(share.root, at), time, time);
  };
  await share.pass();
  writeFileSync(join(share.root, at), '');
  if (how === 'reserved' || how === 'shuffled') truncateSync(join(share.root, at), bytes.length);
  stamp();
  let wroteAt = share.wrote(undefined);
  for (const [written, piece] of numbers.entries()) {
    await sleep(pauses[written % pauses.length] ?? 0);
    await share.pass();
    const fd = openSync(join(share.root, at), 'r+');
    writeSync(fd, bytes, piece * step, Math.min(step, bytes.length - piece * step), piece * step);
    closeSync(fd);
    stamp();
    wroteAt = share.wrote(wroteAt);
    const isLast = written === numbers.length - 1;
    const other = onPiece(written + 1) ?? (isLast && how === 'renamed' ? name : undefined);
    if (other === undefined) continue;
    renameSync(join(share.root, at), join(share.root, other));
    at = other;
  }
}
