import { closeSync, fstatSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { exchangeLayout, openExchange } from '#src/engine/process/exchange.js';
import { readAt, writeAt } from '#src/process/shared-file.js';

const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
});
async function exchange(bytes: number): Promise<number> {
  const fd = await openExchange({ masksAt: 0, probabilitiesAt: 0, scoresAt: 0, bytes });
  open.push(fd);
  return fd;
}

describe('the layout', () => {
  test('has room for every part of a full batch, one behind the other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.integer({ min: 1, max: 128 }), (batch, steps) => {
        const patchSize = 32 * steps;
        const area = patchSize ** 2;
        const { masksAt, probabilitiesAt, bytes } = exchangeLayout({ batch, patchSize });
        expect(masksAt).toBe(batch * area * 3);
        expect(probabilitiesAt - masksAt).toBe(batch * area);
        expect(bytes - probabilitiesAt).toBe(batch * area);
        const more = exchangeLayout({ batch, patchSize, scores: true });
        expect(more).toMatchObject({ masksAt, probabilitiesAt, scoresAt: bytes, bytes: bytes + 4 * batch * area });
      }),
    );
  });
});

describe('the exchange', () => {
  test.each([0, 1, 1 << 20, (1 << 20) + 1])('of %i bytes is reserved to the byte, full of zeros', async bytes => {
    const fd = await exchange(bytes);
    expect(fstatSync(fd).size).toBe(bytes);
    const all = new Uint8Array(bytes).fill(7);
    readAt(fd, all, 0);
    expect(all.some(byte => byte !== 0)).toBe(false);
  });

  test('has no name that a process which is killed could leave behind, and is nobody else’s to read', async () => {
    const fd = await exchange(100);
    expect(fstatSync(fd).nlink).toBe(0);
    expect(fstatSync(fd).mode & 0o077).toBe(0);
    for (const folder of ['/dev/shm', tmpdir()]) {
      const names = process.platform === 'linux' || folder === tmpdir() ? readdirSync(folder) : [];
      expect(names.filter(name => name.startsWith(`stromaflow-${process.pid}-`))).toEqual([]);
    }
  });

  test('gives back what was written, wherever', async () => {
    const fd = await exchange(4096);
    const model = new Uint8Array(4096);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 0, max: 3500 }), (bytes, at) => {
        writeAt(fd, bytes, at);
        model.set(bytes, at);
        const found = new Uint8Array(4096);
        readAt(fd, found, 0);
        expect(found).toEqual(model);
      }),
    );
  });

  test('that ends too early is told, and where', async () => {
    const fd = await exchange(10);
    expect(() => readAt(fd, new Uint8Array(11), 0)).toThrow('the exchange ends at 10');
    expect(() => readAt(fd, new Uint8Array(1), 10)).toThrow(RangeError);
  });

  test('larger than what is free is refused before a slide begins, with what to do', async () => {
    const before = readdirSync(tmpdir());
    const free = await Promise.all(['/dev/shm', tmpdir()].map(folder => statfs(folder).catch(() => undefined)));
    const most = Math.max(...free.map(facts => (facts ? facts.bavail * facts.bsize : 0)));
    await expect(exchange(most + 1)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: `no room for ${Math.ceil((most + 1) / 2 ** 20)} MiB shared with the engine's process`,
      fix: expect.stringContaining('--isolation thread'),
      cause: expect.objectContaining({ errors: [expect.any(Error), expect.any(Error)] }),
    });
    expect(readdirSync(tmpdir()).filter(name => name.startsWith(`stromaflow-${process.pid}`))).toEqual(
      before.filter(name => name.startsWith(`stromaflow-${process.pid}`)),
    );
  });
});
