import { createHash } from 'node:crypto';
import { open as openFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { StromaflowError } from '../errors.js';
import { makeFolder, unwritable } from '../process/make-folder.js';
import type { PatchRecord } from '../read/patch.js';
import type { RunKey } from '../run-key.js';
import { DiskSpace } from './disk-space.js';
import { acquireLock, type FolderLock, LockHeldError } from './folder-lock.js';
import type { KnownRun, Ledger, NameRegister, RunGrowth, RunLedger, RunState } from './ledger.js';
import { fingerprintOf, freshRun, isSameRun, knownRun, type StoredRun } from './run-key.js';

/** Under [slide, 'run'] stands a StoredRun. Names are kept in lower case, sources as hashes behind a colon, which no name has. */
type Key =
  | [slide: string, kind: 'run']
  | [slide: string, kind: 'patch', level: number, col: number, row: number]
  | [name: string, kind: 'source']
  | [source: string, kind: 'name'];
type Value = StoredRun | PatchRecord | { readonly source: string } | { readonly name: string };
type Database = RootDatabase<Value, Key>;

/**
 * Opens the ledger in a folder, which is made if it is not there. Writes that are made in one turn of the event loop
 * share one transaction and one sync. Rejects with LEDGER_FAILED, also when another process has the folder open.
 */
export async function openLedger(folder: string): Promise<Ledger> {
  const lock = await lockFolder(folder);
  const file = join(folder, 'ledger.lmdb');
  try {
    await checkFormat(file);
    await new DiskSpace(folder).check();
    const database: Database = open<Value, Key>({
      path: file,
      noSubdir: true,
      encoding: 'msgpack',
      maxDbs: 1,
    });
    return new LmdbLedger(database, lock, folder);
  } catch (cause) {
    await lock.release();
    throw failed(folder, cause);
  }
}

/** First word after a page's header in an LMDB file (MDB_MAGIC in mdb.c). */
const MAGIC = 0xbeef_c0de;
const MAGIC_AT = 24;

/** LMDB ends the whole process on a file that is not its own, so that is found out first. */
async function checkFormat(file: string): Promise<void> {
  const handle = await openFile(file, 'a+');
  try {
    const { size } = await handle.stat();
    const head = await handle.read(Buffer.alloc(MAGIC_AT + 4), 0, MAGIC_AT + 4, 0);
    if (size === 0 || (head.bytesRead === MAGIC_AT + 4 && head.buffer.readUInt32LE(MAGIC_AT) === MAGIC)) return;
  } finally {
    await handle.close();
  }
  const fix = 'move it away and start again; the slides are segmented anew';
  throw new StromaflowError('LEDGER_FAILED', `${file}: not a ledger`, { fix });
}

async function lockFolder(folder: string): Promise<FolderLock> {
  try {
    await makeFolder(folder, dirname(folder));
    return await acquireLock(join(folder, 'ledger.lock'));
  } catch (cause) {
    if (!(cause instanceof LockHeldError)) throw failed(folder, cause);
    const fix = 'wait until it ends, or give each process its own --out';
    throw new StromaflowError('LEDGER_FAILED', `${folder}: ${cause.message}`, { cause, fix });
  }
}

class LmdbLedger implements Ledger {
  readonly #database: Database;
  readonly #lock: FolderLock;
  readonly #folder: string;
  readonly #space: DiskSpace;
  #closed = false;

  constructor(database: Database, lock: FolderLock, folder: string) {
    this.#space = new DiskSpace(folder);
    this.#database = database;
    this.#lock = lock;
    this.#folder = folder;
  }

  async run(key: RunKey, growth?: RunGrowth): Promise<RunLedger> {
    const place: Key = [key.slide, 'run'];
    const stored = this.#read(() => this.#database.get(place) as StoredRun | undefined);
    if (stored && isSameRun(stored, key, growth)) return this.#open(key.slide, stored);
    const fresh = freshRun(key, growth, stored);
    await this.#write(() =>
      this.#database.transaction(() => {
        // Whose the name is stays as it is.
        for (const old of this.#database.getKeys(range(key.slide)))
          if (old[1] !== 'source') silence(this.#database.remove(old));
        return this.#database.put(place, fresh);
      }),
    );
    return this.#open(key.slide, fresh);
  }

  find(slide: string): KnownRun | undefined {
    const stored = this.#read(() => this.#database.get([slide, 'run']) as StoredRun | undefined);
    return stored && knownRun(stored);
  }

  *runs(): Generator<{ slide: string; run: RunLedger }, void, undefined> {
    // From slide to slide, not from patch to patch: a slide has thousands.
    let start: Key = ['' as string, 'run'];
    for (;;) {
      const [key] = this.#read(() => [...this.#database.getKeys({ start, limit: 1 })]);
      if (!key) return;
      const [slide] = key;
      const stored = this.#get([slide, 'run']) as StoredRun | undefined;
      if (stored) yield { slide, run: this.#open(slide, stored) };
      start = range(slide).end;
    }
  }

  readonly names: NameRegister = {
    sourceOf: name => (this.#get([name.toLowerCase(), 'source']) as { source: string } | undefined)?.source,
    nameOf: source => (this.#get([sourceKey(source), 'name']) as { name: string } | undefined)?.name,
    give: (name, source) =>
      this.#write(() =>
        this.#database.transaction(() => {
          silence(this.#database.put([name.toLowerCase(), 'source'], { source }));
          return this.#database.put([sourceKey(source), 'name'], { name });
        }),
      ),
  };

  #get(key: Key): Value | undefined {
    return this.#read(() => this.#database.get(key));
  }

  #open(slide: string, stored: StoredRun): RunLedger {
    const { key, growth, again, ...state } = stored;
    const head = { key, ...(growth && { growth }), ...(again && { again }) };
    const database = this.#database;
    const read = <T>(get: () => T): T => this.#read(get);
    const write = (put: () => Promise<unknown>): Promise<void> => this.#write(put);
    let current: RunState = state;
    return {
      get state() {
        return current;
      },
      fingerprint: fingerprintOf(stored),
      records: () =>
        read(() =>
          database
            .getRange(range(slide))
            .filter(isPatch)
            .map(({ value }) => value as PatchRecord),
        ) as Iterable<PatchRecord>,
      get: (level, col, row) => read(() => database.get([slide, 'patch', level, col, row]) as PatchRecord | undefined),
      record: patch => write(() => database.put([slide, 'patch', patch.level, patch.col, patch.row], patch)),
      async update(next) {
        // At once: what is written while this one is under way builds on it.
        current = { ...next };
        await write(() => database.put([slide, 'run'], { ...head, ...next }));
      },
    };
  }

  #read<T>(get: () => T): T {
    this.#check();
    try {
      return get();
    } catch (cause) {
      throw failed(this.#folder, cause);
    }
  }

  async #write(put: () => Promise<unknown>): Promise<void> {
    this.#check();
    try {
      await this.#space.check();
      this.#check();
      const done = put();
      // `flushed` is the sync of the transaction that the write above belongs to; asking later would wait for more.
      const flushed = this.#database.flushed;
      silence(flushed);
      await done;
      await flushed;
    } catch (cause) {
      throw failed(this.#folder, await underlying(cause));
    }
  }

  #check(): void {
    if (this.#closed) throw new StromaflowError('LEDGER_FAILED', `${this.#folder}: closed`);
    if (!this.#lock.held) throw new StromaflowError('LEDGER_FAILED', `${this.#folder}: taken over by another process`);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#database.close();
    await this.#lock.release();
  }
}

/** A path may be longer than a key. */
const sourceKey = (source: string): string => `:${createHash('sha256').update(source).digest('hex')}`;

const range = (slide: string) => ({ start: [slide] as unknown as Key, end: [slide, '\uffff'] as unknown as Key });

/** lmdb rejects several promises for one failed commit; the one that is awaited speaks for all. */
const silence = (promise: PromiseLike<unknown>): void => void promise.then(undefined, () => undefined);

/** What made a commit fail stands in a promise of its own, which rejects with it. */
async function underlying(cause: unknown): Promise<unknown> {
  if (!(cause instanceof Error && 'commitError' in cause)) return cause;
  return Promise.resolve(cause.commitError).then(
    () => cause,
    reason => reason ?? cause,
  );
}

const isPatch = ({ key }: { key: Key }): boolean => key[1] === 'patch';

function failed(folder: string, cause: unknown): StromaflowError {
  if (cause instanceof StromaflowError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/ENOSPC|No space left/.test(message)) {
    return new StromaflowError('OUTPUT_FULL', `${folder}: no space left on device`, { cause });
  }
  const closed = unwritable(dirname(folder), cause);
  if (closed) return closed;
  return new StromaflowError('LEDGER_FAILED', `${folder}: ${message}`, { cause });
}
