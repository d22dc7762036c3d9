import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arriveByRename } from '#src/watch/arrive-by-rename.js';
import { isSlideName } from '#src/watch/names.js';

const folder = (): string => mkdtempSync(join(tmpdir(), 'stromaflow-arrive-'));
const never = new AbortController().signal;

describe('arriveByRename', () => {
  it('brings the same bytes, whatever the size and the number of parts', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 12 }), async (bytes, parts) => {
        const [from, to] = [folder(), folder()];
        writeFileSync(join(from, 'a.svs'), bytes);
        const path = await arriveByRename(join(from, 'a.svs'), to, { seconds: 0, parts, signal: never });
        expect(path).toBe(join(to, 'a.svs'));
        expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
        expect(readdirSync(to)).toEqual(['a.svs']);
      }),
      { numRuns: 25 },
    ));

  it('stops where it is when aborted: what there is lies under a name that no watcher takes', async () => {
    const [from, to] = [folder(), folder()];
    writeFileSync(join(from, 'a.svs'), Buffer.alloc(1000, 7));
    const stop = new AbortController();
    const arriving = arriveByRename(join(from, 'a.svs'), to, { seconds: 3600, parts: 10, signal: stop.signal });
    const partial = join(to, 'a.svs.part');
    while (!existsSync(partial) || statSync(partial).size === 0) await new Promise(resolve => setImmediate(resolve));
    stop.abort();
    await expect(arriving).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(to)).toEqual(['a.svs.part']);
    expect(isSlideName(partial)).toBe(false);
    expect(statSync(partial).size).toBe(100);
  });

  it('rejects for a slide that is not there, and makes nothing', async () => {
    const to = folder();
    const arriving = arriveByRename(join(to, 'nowhere.svs'), to, { seconds: 0, signal: never });
    await expect(arriving).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(to)).toEqual([]);
  });
});
