import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from './absence.js';
import { hasStableInodes, mountOf } from './file-system.js';
import { FolderTree, isBelowAny } from './folder-tree.js';
import { isDicomName, isSlideName } from './names.js';
import type { Presence } from './presence.js';

/** A folder went away, or is back. */
export interface PresenceChange {
  readonly folder: string;
  /** Why it is away; undefined: it is back. */
  readonly away: string | undefined;
  /** Of one that is back: how long it was away. */
  readonly seconds: number;
}

/** A share that has not answered for so long is away, however long it takes to say so. */
const ANSWER_MS = 10_000;
/** Time between two questions whether it is back. */
const ASK_MS = 250;

/** Times that it is listed in one look when another folder comes to stand in its place meanwhile. */
const LISTINGS = 3;

/** Which folder it is: another one may come to stand under its name. */
interface Identity {
  readonly dev: number;
  readonly ino: number;
  /** What is mounted there, on systems that say so: its device may have another number the next time. */
  readonly mount: string | undefined;
}

interface Look {
  readonly files: readonly string[];
  /** The folder right after it was listed. */
  readonly after: Stats;
}

/**
 * The folder that is watched, and whether it is there. It is away when it cannot be looked into, does not answer, or when an
 * empty folder stands in its place: another inode, or the point where it was mounted. Folders below it that were mounted
 * there can be away by themselves.
 */
export class WatchedFolder implements Presence {
  readonly root: string;
  readonly tree: FolderTree;
  readonly #onChange: (change: PresenceChange) => void;
  readonly #onDoubt: (() => void)[] = [];
  #identity: Identity | undefined;
  /** What it held when it was there last. */
  #held: readonly string[] = [];
  /** The folders that are away, the root or some below: why, and since when (performance.now()). */
  #away: ReadonlyMap<string, { readonly reason: string; readonly since: number }> = new Map();
  #awaySince = 0;
  #awayMs = 0;
  #outages = 0;
  #pending: Promise<Look> | undefined;
  #returning: Promise<void> | undefined;

  /** @param ignored leaves out files and folders, by their whole paths. */
  constructor(
    root: string,
    ignored: (path: string) => boolean = () => false,
    onChange: (change: PresenceChange) => void = () => undefined,
  ) {
    this.root = root;
    this.tree = new FolderTree(root, ignored);
    this.#onChange = onChange;
  }

  /** It was there once: from then on it can be away. */
  get wasThere(): boolean {
    return this.#identity !== undefined;
  }

  /** Why it, or a folder below it, is away; undefined while all of it is there. */
  get reason(): string | undefined {
    return (this.#away.get(this.root) ?? this.#away.values().next().value)?.reason;
  }

  /** Calls back when somebody finds that it may be away: a look would tell. */
  whenInDoubt(call: () => void): void {
    this.#onDoubt.push(call);
  }

  /** As the last look saw it. */
  wasAway(path: string): boolean {
    return this.#away.has(this.root) || isBelowAny(path, this.#away);
  }

  isAway(path: string): boolean {
    if (this.wasAway(path)) return true;
    if (!this.#isDoubtful(path)) return false;
    for (const call of this.#onDoubt) call();
    return true;
  }

  async back(path: string, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.isAway(path)) {
      this.#returning ??= sleep(ASK_MS, undefined, { ref: false }).finally(() => {
        this.#returning = undefined;
      });
      await this.#returning;
    }
    return !signal.aborted;
  }

  get outages(): number {
    return this.#outages;
  }

  now(): number {
    const now = performance.now();
    return now - this.#awayMs - (this.#away.size > 0 ? now - this.#awaySince : 0);
  }

  /**
   * Looks into it: the paths of its files, those of a folder below that is away as they were; undefined while it is away itself.
   *
   * @param followed slides in it that are being worked on: where there are several and nothing is left of anything, they were
   * not deleted one by one.
   * @throws the system's error when it cannot be read and never was.
   */
  async look(followed = 0): Promise<readonly string[] | undefined> {
    const away = new Map<string, string>();
    try {
      const seen = await this.#listInTime();
      const reason = seen ? this.#doubtsOf(seen, followed) : `${this.root}: does not answer`;
      if (reason === undefined) {
        this.#held = seen!.files;
        this.#set(this.tree.away);
        return this.#held;
      }
      away.set(this.root, reason);
    } catch (error) {
      if (!this.#identity) throw error;
      away.set(this.root, reasonOf(this.root, error));
    }
    // Of folders below nothing can be told.
    for (const [folder, { reason }] of this.#away) if (!away.has(folder)) away.set(folder, reason);
    this.#set(away);
    return undefined;
  }

  /** Undefined when there is no answer in time; it is not asked again before the answer to the first question came. */
  async #listInTime(): Promise<Look | undefined> {
    this.#pending ??= this.#list();
    const late = new AbortController();
    const tooLate = sleep(ANSWER_MS, undefined, { signal: late.signal, ref: false }).catch(() => undefined);
    try {
      return await Promise.race([this.#pending, tooLate]);
    } finally {
      late.abort();
    }
  }

  #list(): Promise<Look> {
    const listing = (async (): Promise<Look> => {
      for (let listings = 1; ; listings++) {
        const files = await this.tree.files();
        const after = await stat(this.root);
        if (this.#isOne(after) || listings === LISTINGS) return { files, after };
      }
    })();
    const over = (): void => {
      this.#pending = undefined;
    };
    // One that comes too late is nobody's.
    listing.then(over, over);
    return listing;
  }

  /** Why what stands there now is not the folder; undefined when it is, and then it is remembered as such. */
  #doubtsOf({ files, after }: Look, followed: number): string | undefined {
    const isSame = this.#isSame(after) && this.#isSame(this.tree.rootFacts ?? after);
    const other = files.length === 0 ? 'an empty folder' : 'another folder, without slides,';
    // What was listed of one folder says nothing of another that came to stand in its place meanwhile.
    if (!isSame && !(this.#isOne(after) && this.#holdsSlides(files)))
      return `${this.root}: ${other} stands in its place`;
    if (isSame && files.length === 0 && followed > 1) return `${this.root}: all that was in it has vanished`;
    if (!isSame || !this.#identity) this.#identity = { dev: after.dev, ino: after.ino, mount: mountOf(this.root) };
    return undefined;
  }

  #holdsSlides(files: readonly string[]): boolean {
    const held = new Set(this.#held);
    return files.some(path => held.has(path) || isSlideName(path) || isDicomName(path));
  }

  /** What was listed was of the folder that stands there since. */
  #isOne(after: Stats): boolean {
    const before = this.tree.rootFacts ?? after;
    if (before.dev === after.dev && before.ino === after.ino) return true;
    return this.#identity !== undefined && this.#isSame(before) && this.#isSame(after);
  }

  #isSame({ dev, ino }: Stats): boolean {
    if (!this.#identity) return true;
    const { dev: knownDev, ino: knownIno, mount } = this.#identity;
    if (dev === knownDev && ino === knownIno) return true;
    // The numbers of a share are made up by this machine, anew when it is mounted again.
    const mayDiffer = dev !== knownDev || !hasStableInodes(this.root);
    return mayDiffer && mount !== undefined && mountOf(this.root) === mount;
  }

  #isDoubtful(path: string): boolean {
    if (!this.#identity) return false;
    try {
      if (!this.#isSame(statSync(this.root))) return true;
      for (let folder = dirname(path); folder.startsWith(`${this.root}/`); folder = dirname(folder)) {
        const facts = statSync(folder, { throwIfNoEntry: false });
        const known = this.tree.deviceOf(folder);
        if (facts) return known !== undefined && facts.dev !== known;
      }
      return false;
    } catch {
      return true;
    }
  }

  #set(reasons: ReadonlyMap<string, string>): void {
    const now = performance.now();
    const before = this.#away;
    const away = new Map(
      [...reasons].map(([folder, reason]) => [folder, { reason, since: before.get(folder)?.since ?? now }]),
    );
    if (before.size === 0 && away.size > 0) this.#awaySince = now;
    if (before.size > 0 && away.size === 0) {
      this.#awayMs += now - this.#awaySince;
      this.#outages += 1;
    }
    this.#away = away;
    for (const [folder, { reason }] of away)
      if (!before.has(folder)) this.#onChange({ folder, away: reason, seconds: 0 });
    for (const [folder, { since }] of before)
      if (!away.has(folder)) this.#onChange({ folder, away: undefined, seconds: (now - since) / 1000 });
  }
}
