import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Who holds a lock; written into its file. */
export interface LockHolder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one of the same number: boot id and start time, where /proc has them. */
  readonly started?: string;
}

export interface FolderLock {
  /** False once another process took the lock over, which it may when this one stood still for `staleMs`. */
  readonly held: boolean;
  release(): Promise<void>;
}

/** Thrown by acquireLock when the holder is alive. */
export class LockHeldError extends Error {
  readonly holder: LockHolder | undefined;
  constructor(holder: LockHolder | undefined) {
    super(holder ? `used by process ${holder.pid} on ${holder.host}` : 'used by another process');
    this.holder = holder;
  }
}

/** A holder on another host (or in another container) that has not renewed its lock for this long is dead. */
const STALE_MS = 15_000;

/**
 * Takes an exclusive lock that survives no crash of its holder: on the same host a dead holder is recognised at once
 * by its process, on another host by its file no longer being renewed. Node has no flock, and advisory locks are not
 * kept by every shared file system; hard links are.
 * @throws LockHeldError when somebody else is alive, or the file system's own error.
 */
export async function acquireLock(
  path: string,
  { staleMs = STALE_MS, host = hostname() }: { staleMs?: number; host?: string } = {},
): Promise<FolderLock> {
  const started = processStart(process.pid);
  const own: LockHolder = { token: randomUUID(), pid: process.pid, host, ...(started ? { started } : {}) };
  const draft = `${path}.${own.token}`;
  await writeFile(draft, JSON.stringify(own));
  try {
    // A lock may vanish between the steps; each round either wins, throws, or saw the state of the file change.
    for (;;) {
      if (await tryLink(draft, path)) return hold(path, own, staleMs);
      const holder = await readHolder(path);
      if (holder && isAlive(holder, host)) throw new LockHeldError(holder);
      if (holder?.host !== host && !(await staysStill(path, staleMs))) throw new LockHeldError(holder);
      await removeStale(path, holder, draft);
    }
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LockHolder;
  } catch (error) {
    if (isCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isAlive(holder: LockHolder, host: string): boolean {
  if (holder.host !== host) return false;
  if (holder.started !== undefined) return processStart(holder.pid) === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return isCode(error, 'EPERM');
  }
}

/** Boot id and start time of a process on Linux (proc(5): field 22, after the name, which may contain anything). */
function processStart(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Whether nobody renews the file for `staleMs`; true at once when it is that old already or gone. */
async function staysStill(path: string, staleMs: number): Promise<boolean> {
  const seen = await renewedAt(path);
  const until = Date.now() + staleMs;
  while (Date.now() < until) {
    const now = await renewedAt(path);
    if (now === undefined) return true;
    if (now !== seen) return false;
    await sleep(Math.min(250, staleMs / 4));
  }
  return true;
}

const renewedAt = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );

/** A process that dies while it removes a lock holds the others up this long. */
const REMOVAL_MS = 5_000;

/**
 * Removes a stale lock, one process at a time: whoever looked before another one had removed it and taken the lock must
 * not remove what is no longer stale.
 */
async function removeStale(path: string, stale: LockHolder | undefined, draft: string): Promise<void> {
  const removal = `${path}.removal`;
  if (!(await tryLink(draft, removal))) {
    const since = await renewedAt(removal);
    if (since !== undefined && Date.now() - since > REMOVAL_MS) await unlink(removal).catch(() => undefined);
    await sleep(10);
    return;
  }
  try {
    const holder = await readHolder(path);
    if (holder?.token === stale?.token) await unlink(path).catch(() => undefined);
  } finally {
    await unlink(removal).catch(() => undefined);
  }
}

function hold(path: string, own: LockHolder, staleMs: number): FolderLock {
  let held = true;
  const isOwn = async (): Promise<boolean> => (await readHolder(path).catch(() => own))?.token === own.token;
  const renew = async (): Promise<void> => {
    held = await isOwn();
    if (held) await utimes(path, new Date(), new Date()).catch(() => undefined);
  };
  const timer = setInterval(() => void renew(), staleMs / 4).unref();
  return {
    get held() {
      return held;
    },
    async release() {
      clearInterval(timer);
      if (held && (await isOwn())) await unlink(path).catch(() => undefined);
      held = false;
    },
  };
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
