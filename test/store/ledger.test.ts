import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PatchRecord } from '#src/read/patch.js';
import type { RunKey } from '#src/run-key.js';
import type { Ledger } from '#src/store/ledger.js';
import { openLedger } from '#src/store/lmdb-ledger.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';

const KEY: RunKey = { slide: 'slide_1', fingerprint: 'f', modelVersion: '1.0+abc', plan: 'p' };

const segmented = (col: number, row: number, stromaPixels = 1): PatchRecord => ({
  ...{ level: 0, col, row, outcome: 'segmented', validPixels: 9, tissuePixels: 5, stromaPixels },
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const failed = (code: string) => expect.objectContaining({ code });
const inOrder = (records: Iterable<PatchRecord>) => [...records].sort((a, b) => a.row - b.row || a.col - b.col);

describe.each<[string, () => Promise<Ledger>]>([
  ['LMDB', () => openLedger(folder)],
  ['memory', async () => createMemoryLedger()],
])('a ledger in %s', (_, make) => {
  let ledger: Ledger;
  beforeEach(async () => {
    ledger = await make();
  });
  afterEach(() => ledger.close());

  it('begins a run at revision 1, open and empty', async () => {
    const run = await ledger.run(KEY);
    expect(run.state).toEqual({ revision: 1, state: 'open' });
    expect([...run.records()]).toEqual([]);
    expect(run.get(0, 0, 0)).toBeUndefined();
  });

  it('builds each update on those that are still being written', async () => {
    const run = await ledger.run(KEY);
    const first = run.update({ ...run.state, state: 'incomplete', tilesSeen: 80 });
    await Promise.all([first, run.update({ ...run.state, revision: 5 })]);
    expect((await ledger.run(KEY)).state).toEqual({ revision: 5, state: 'incomplete', tilesSeen: 80 });
  });

  it('keeps what is recorded, every field of it', async () => {
    const run = await ledger.run(KEY);
    const scored: PatchRecord = { ...segmented(300, 2), intersection: 3, union: 7 };
    const broken: PatchRecord = { ...segmented(0, 70_000, 0), outcome: 'failed', code: 'TILE_CORRUPT' };
    await run.record(scored);
    await run.record(broken);
    await run.record({ ...segmented(0, 0), level: 2 });
    expect(run.get(0, 300, 2)).toEqual(scored);
    expect(run.get(0, 0, 70_000)).toEqual(broken);
    expect(run.get(0, 0, 0)).toBeUndefined();
    expect(run.get(2, 0, 0)).toEqual({ ...segmented(0, 0), level: 2 });
    expect([...run.records()]).toHaveLength(3);
  });

  it('finds the run of a slide that grew, until it holds something else', async () => {
    const growth = (content: string, growing = false) => ({ identity: 'inode 7', growing, content: () => content });
    const begun = await ledger.run({ ...KEY, fingerprint: 'growing' }, growth('', true));
    await begun.record(segmented(1, 1));
    const finished = { ...KEY, fingerprint: 'finished' };
    const resumed = await ledger.run(finished, growth('first'));
    expect(resumed.fingerprint).toBe('growing');
    expect([...resumed.records()]).toHaveLength(1);
    await resumed.update({ ...resumed.state, state: 'completed', finished: 'first' });
    expect((await ledger.run(finished, growth('first'))).state.state).toBe('completed');
    expect((await ledger.run({ ...KEY, fingerprint: 'grows again' }, growth('first', true))).fingerprint).toBe(
      'growing',
    );
    const rescanned = await ledger.run(finished, growth('second'));
    expect(rescanned.fingerprint).toBe('finished');
    expect([...rescanned.records()]).toEqual([]);
  });

  it('tells of a run without opening it', async () => {
    expect(ledger.find('slide_1')).toBeUndefined();
    const run = await ledger.run(KEY, { identity: 'inode 7', growing: true, content: () => '' });
    await run.update({ ...run.state, state: 'completed', finished: 'all' });
    expect(ledger.find('slide_1')).toEqual({
      state: 'completed',
      fingerprint: 'f',
      growth: 'inode 7',
      finished: 'all',
      plan: KEY.plan,
    });
    expect(ledger.find('slide_2')).toBeUndefined();
  });

  it('begins again, under another name, a run that was given up, and remembers that it did', async () => {
    const first = await ledger.run(KEY);
    await first.record(segmented(1, 1));
    await first.update({ ...first.state, state: 'incomplete', finished: 'replaced' });
    const second = await ledger.run(KEY);
    expect([second.fingerprint, [...second.records()]]).toEqual(['f+1', []]);
    await second.update({ ...second.state, revision: 5 });
    const same = await ledger.run(KEY);
    expect([same.fingerprint, same.state]).toEqual(['f+1', { revision: 5, state: 'open' }]);
  });

  it('keeps whose a name is, and what a source is called', async () => {
    const { names } = ledger;
    expect([names.sourceOf('S1'), names.nameOf('/a')]).toEqual([undefined, undefined]);
    await names.give('S1', '/a');
    await names.give('S2', '/b');
    await names.give('s1', '/c');
    expect([names.sourceOf('S1'), names.sourceOf('s2')]).toEqual(['/c', '/b']);
    expect([names.nameOf('/a'), names.nameOf('/c')]).toEqual(['S1', 's1']);
    await ledger.run({ ...KEY, slide: 's1' });
    await ledger.run({ ...KEY, slide: 's1', plan: 'other' });
    expect(names.sourceOf('s1')).toBe('/c');
  });

  it('forgets a growing run under another plan, another file, or when the slide never grew', async () => {
    const growth = { identity: 'inode 7', growing: true, content: () => '' };
    const grown = { ...KEY, fingerprint: 'growing' };
    const cases = [
      [{ ...KEY, plan: 'other' }, growth],
      [KEY, { ...growth, identity: 'inode 8' }],
      [KEY, undefined],
    ] as const;
    for (const [key, given] of cases) {
      await (await ledger.run(grown, growth)).record(segmented(1, 1));
      expect([...(await ledger.run(key, given)).records()]).toEqual([]);
    }
    await (await ledger.run(KEY, { ...growth, growing: false })).record(segmented(1, 1));
    expect([...(await ledger.run(grown, growth)).records()]).toEqual([]);
  });

  it('replaces the record of a patch that comes again', async () => {
    const run = await ledger.run(KEY);
    await run.record(segmented(1, 1, 1));
    await run.record(segmented(1, 1, 2));
    expect([...run.records()]).toEqual([segmented(1, 1, 2)]);
  });

  it('takes many records at once', async () => {
    const run = await ledger.run(KEY);
    const records = Array.from({ length: 2000 }, (_, i) => segmented(i % 50, Math.floor(i / 50), i));
    await Promise.all(records.map(record => run.record(record)));
    expect(inOrder(run.records())).toEqual(records);
  });

  it('opens a run again with its state and records', async () => {
    const run = await ledger.run(KEY);
    await run.record(segmented(4, 5));
    await run.update({ revision: 8, state: 'incomplete' });
    expect(run.state).toEqual({ revision: 8, state: 'incomplete' });
    const again = await ledger.run({ ...KEY });
    expect(again.state).toEqual({ revision: 8, state: 'incomplete' });
    expect([...again.records()]).toEqual([segmented(4, 5)]);
  });

  it.each(['fingerprint', 'modelVersion', 'plan'] as const)('drops the run when its %s changes', async part => {
    const run = await ledger.run(KEY);
    await run.record(segmented(4, 5));
    await run.update({ revision: 8, state: 'completed' });
    const other = await ledger.run({ ...KEY, [part]: 'other' });
    expect(other.state).toEqual({ revision: 1, state: 'open' });
    expect([...other.records()]).toEqual([]);
    expect([...(await ledger.run(KEY)).records()]).toEqual([]);
  });

  it('keeps slides apart, also when one name begins with the other', async () => {
    const slides = ['a', 'a1', 'a-', 'A', 'b'];
    for (const [i, slide] of slides.entries()) await (await ledger.run({ ...KEY, slide })).record(segmented(i, 0));
    await ledger.run({ ...KEY, slide: 'a', plan: 'other' });
    for (const [i, slide] of slides.entries()) {
      const records = [...(await ledger.run({ ...KEY, slide, ...(slide === 'a' ? { plan: 'other' } : {}) })).records()];
      expect(records).toEqual(slide === 'a' ? [] : [segmented(i, 0)]);
    }
  });

  it('refuses everything once closed', async () => {
    const run = await ledger.run(KEY);
    await ledger.close();
    await expect(ledger.run(KEY)).rejects.toEqual(failed('LEDGER_FAILED'));
    await expect(run.record(segmented(0, 0))).rejects.toEqual(failed('LEDGER_FAILED'));
    expect(() => run.get(0, 0, 0)).toThrow(failed('LEDGER_FAILED'));
    await ledger.close();
  });
});

/** Another process with the ledger open; `line()` reads its output line by line. */
function startChild(mode: 'hold' | 'write'): { child: ChildProcess; line: () => Promise<string> } {
  const script = fileURLToPath(new URL('ledger-child.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, folder, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, line: async () => String((await lines.next()).value) };
}

describe('the ledger on disk', () => {
  it('survives closing', async () => {
    const first = await openLedger(folder);
    await (await first.run(KEY)).record(segmented(3, 3));
    await first.close();
    const second = await openLedger(folder);
    expect([...(await second.run(KEY)).records()]).toEqual([segmented(3, 3)]);
    await second.close();
    expect(existsSync(join(folder, 'ledger.lock'))).toBe(false);
  });

  it('refuses a second user in one line, and lets it in when the first was killed', async () => {
    const { child, line } = startChild('hold');
    expect(await line()).toBe('open');
    const error = await openLedger(folder).catch(e => e);
    expect(error).toEqual(failed('LEDGER_FAILED'));
    expect(error.line).toContain(`process ${child.pid}`);
    expect(error.line).not.toContain('\n');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openLedger(folder)).close();
  });

  it('refuses a second user in the same process', async () => {
    const ledger = await openLedger(folder);
    await expect(openLedger(folder)).rejects.toEqual(failed('LEDGER_FAILED'));
    await ledger.close();
  });

  it('has every acknowledged record after kill -9, wherever it strikes', async () => {
    let total = 0;
    for (let round = 0; round < 4; round++) {
      const { child, line } = startChild('write');
      let acknowledged = -1;
      const stopAt = total + 40 + 25 * round;
      while (acknowledged < stopAt) acknowledged = Number(await line());
      child.kill('SIGKILL');
      const exited = once(child, 'exit');
      for (let last = await line(); last !== 'undefined'; last = await line()) acknowledged = Number(last);
      await exited;
      const ledger = await openLedger(folder);
      const run = await ledger.run(KEY);
      for (let n = 0; n <= acknowledged; n++) expect(run.get(0, n % 100, Math.floor(n / 100))?.stromaPixels).toBe(n);
      total = [...run.records()].length;
      expect(total).toBeGreaterThan(acknowledged);
      await ledger.close();
    }
  });

  it('names the folder when it cannot be made or holds something else', async () => {
    writeFileSync(join(folder, 'file'), '');
    const blocked = await openLedger(join(folder, 'file', 'ledger')).catch(e => e);
    expect(blocked).toEqual(failed('OUTPUT_FAILED'));
    expect(blocked.message).toContain(folder);
    writeFileSync(join(folder, 'ledger.lmdb'), 'this is no database, but text that is long enough. '.repeat(200));
    chmodSync(join(folder, 'ledger.lmdb'), 0o600);
    await expect(openLedger(folder)).rejects.toEqual(failed('LEDGER_FAILED'));
    expect(existsSync(join(folder, 'ledger.lock'))).toBe(false);
  });
});
