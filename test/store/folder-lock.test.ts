import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock, LockHeldError } from '#src/store/folder-lock.js';
import { temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'lock');
});
afterEach(() => folder.remove());

const holder = () => JSON.parse(readFileSync(path, 'utf8'));
/** A pid above every kernel's limit. */
const NOBODY = 2 ** 30;

describe('a lock on a folder', () => {
  it('is held by one and free again after release', async () => {
    const lock = await acquireLock(path);
    expect(lock.held).toBe(true);
    expect(holder()).toMatchObject({ pid: process.pid });
    await expect(acquireLock(path)).rejects.toBeInstanceOf(LockHeldError);
    await lock.release();
    expect(lock.held).toBe(false);
    expect(readdirSync(folder.path)).toEqual([]);
    await (await acquireLock(path)).release();
  });

  it('goes to exactly one of many who want it at once', async () => {
    writeFileSync(path, JSON.stringify({ ...{ token: 't', pid: NOBODY, started: 'x' }, host: 'this' }));
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(path, { host: 'this' })));
    const won = tries.filter(result => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await won[0]!.value.release();
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it.each([
    ['with a start time', { started: 'another boot 1' }],
    ['without', {}],
  ])('is taken from a dead process of this host, known %s', async (_, more) => {
    writeFileSync(path, JSON.stringify({ token: 't', pid: NOBODY, host: 'this', ...more }));
    const lock = await acquireLock(path, { host: 'this', staleMs: 60_000 });
    expect(holder().token).not.toBe('t');
    await lock.release();
  });

  it('is taken from a process whose number another one has now', async () => {
    writeFileSync(path, JSON.stringify({ token: 't', pid: process.pid, host: 'this', started: 'another boot 1' }));
    await (await acquireLock(path, { host: 'this' })).release();
  });

  it('is not taken from another host that renews it', async () => {
    const lock = await acquireLock(path, { host: 'there', staleMs: 400 });
    await expect(acquireLock(path, { host: 'here', staleMs: 400 })).rejects.toThrow('on there');
    expect(lock.held).toBe(true);
    await lock.release();
  });

  it('is taken from another host that fell silent', async () => {
    writeFileSync(path, JSON.stringify({ token: 't', pid: 1, host: 'there' }));
    const lock = await acquireLock(path, { host: 'here', staleMs: 200 });
    expect(holder()).toMatchObject({ host: 'here' });
    await lock.release();
  });

  it('is taken when its file says nothing and stays so', async () => {
    writeFileSync(path, '');
    const lock = await acquireLock(path, { staleMs: 200 });
    expect(lock.held).toBe(true);
    await lock.release();
  });

  it('notices when it was taken over, and leaves the new one alone', async () => {
    const lock = await acquireLock(path, { staleMs: 100 });
    writeFileSync(path, JSON.stringify({ token: 'other', pid: 1, host: 'there' }));
    utimesSync(path, new Date(), new Date());
    while (lock.held) await sleep(10);
    await lock.release();
    expect(existsSync(path)).toBe(true);
  });
});
