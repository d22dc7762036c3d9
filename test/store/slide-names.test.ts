import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KnownRun, Ledger } from '#src/store/ledger.js';
import { openLedger } from '#src/store/lmdb-ledger.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { SlideNames, sourceAt } from '#src/store/slide-names.js';

let folder: string;
let ledger: Ledger;
let names: SlideNames;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stromaflow-names-'));
  ledger = createMemoryLedger();
  names = new SlideNames(ledger, folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), '');
  return join(folder, name);
};
const begin = (slide: string, fingerprint: string) => ledger.run({ slide, fingerprint, modelVersion: 'm', plan: 'p' });
const is =
  (fingerprint: string) =>
  (known: KnownRun): boolean =>
    known.fingerprint === fingerprint;

describe('the name of a slide', () => {
  it('is not free because its file cannot be found for a while', async () => {
    const [a, b] = [file('a/S1.svs'), file('b/S1.svs')];
    await names.give({ source: a, base: 'S1' });
    // Its share is away, and nothing was written yet.
    rmSync(a);
    expect(await names.give({ source: b, base: 'S1' })).not.toBe('S1');
    file('a/S1.svs');
    expect(await names.give({ source: a, base: 'S1' })).toBe('S1');
  });

  it('is that of its file, and another one’s of the same name has digits of where it lies', async () => {
    const [a, b] = [file('a/S1.svs'), file('b/S1.svs')];
    expect(await names.give({ source: a, base: 'S1' })).toBe('S1');
    const other = await names.give({ source: b, base: 'S1' });
    expect(other).toMatch(/^S1-[0-9a-f]{8}$/);
    expect(names.explain({ source: b, base: 'S1' }, other)).toBe(
      `${b}: goes to ${join(folder, other)}, because S1 is ${a}`,
    );
    expect(names.explain({ source: a, base: 'S1' }, 'S1')).toBeUndefined();
    // They keep them, whoever asks first the next time.
    const again = new SlideNames(ledger, folder);
    expect([again.known(b), again.known(join(folder, 'c'))]).toEqual([other, undefined]);
    expect(await again.give({ source: b, base: 'S1' })).toBe(other);
    expect(await again.give({ source: a, base: 'S1' })).toBe('S1');
  });

  it('is never that of another slide, in whatever order, however they are called', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('S1', 's1', 'S1-0', 'T')), { maxLength: 12 }),
        async asked => {
          const given = new Map<string, string>();
          const fresh = new SlideNames(createMemoryLedger(), folder);
          const all = asked.map(([where, base]) => ({ source: file(`${where}/${base}`), base }));
          const results = await Promise.all(all.map(slide => fresh.give(slide)));
          for (const [index, { source }] of all.entries()) {
            expect(given.get(source) ?? results[index]).toBe(results[index]);
            given.set(source, results[index]!);
          }
          // Some folders know no case.
          const lower = new Set([...given.values()].map(name => name.toLowerCase()));
          expect(lower.size).toBe(given.size);
        },
      ),
      { numRuns: 60 },
    ));

  it('has more digits where a file is called like another one with its digits', async () => {
    const [a, b] = [file('a/S1.svs'), file('b/S1.svs')];
    await names.give({ source: a, base: 'S1' });
    const short = await names.give({ source: b, base: 'S1' });
    const fresh = new SlideNames(createMemoryLedger(), folder);
    await fresh.give({ source: file(`c/${short}`), base: short });
    await fresh.give({ source: a, base: 'S1' });
    expect(await fresh.give({ source: b, base: 'S1' })).toMatch(new RegExp(`^${short}[0-9a-f]{8}$`));
  });

  it('tells several slides in one file apart', async () => {
    const table = file('scan/coordinates.csv');
    const ids = await Promise.all(
      ['A', 'B'].map(region => names.give({ source: sourceAt(table, region), base: 'scan' })),
    );
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toBe('scan');
    expect(names.explain({ source: sourceAt(table, 'B'), base: 'scan' }, ids[1]!)).toContain(`${table}: goes to`);
  });

  it('stays with its path when the file is written anew', async () => {
    const a = file('a/S1.svs');
    await names.give({ source: a, base: 'S1' });
    await begin('S1', 'old');
    expect(await names.give({ source: a, base: 'S1', isSame: is('new') })).toBe('S1');
  });

  it('goes with the slide when it is moved, and to no other', async () => {
    const [a, b, c] = [file('a/S1.svs'), file('b/S1.svs'), file('c/S1.svs')];
    await names.give({ source: a, base: 'S1' });
    await begin('S1', 'this one');
    names = new SlideNames(ledger, folder);
    // A copy of a slide that is still where it was is another slide.
    expect(await names.give({ source: b, base: 'S1', isSame: is('this one') })).not.toBe('S1');
    rmSync(a);
    expect(await names.give({ source: c, base: 'S1', isSame: is('another') })).not.toBe('S1');
    const d = file('d/S1.svs');
    expect(await names.give({ source: d, base: 'S1', isSame: is('this one') })).toBe('S1');
    // Where it was, another one may come to lie.
    expect(await names.give({ source: file('a/S1.svs'), base: 'S1', isSame: is('another') })).not.toBe('S1');
  });

  it('is free when it was given to what never had results and is gone', async () => {
    const [a, b] = [file('a/S1.svs'), file('b/S1.svs')];
    await names.give({ source: a, base: 'S1' });
    rmSync(a);
    expect(await new SlideNames(ledger, folder).give({ source: b, base: 'S1' })).toBe('S1');
  });

  it('is not that of results which the ledger has forgotten, unless they are its own', async () => {
    mkdirSync(join(folder, 'S1'));
    writeFileSync(join(folder, 'S1', 'summary.json'), JSON.stringify({ source: { fingerprint: 'of a' } }));
    const [a, b] = [file('a/S1.svs'), file('b/S1.svs')];
    const other = await names.give({ source: b, base: 'S1', isSame: is('of b') });
    expect(other).toMatch(/^S1-/);
    expect(names.explain({ source: b, base: 'S1' }, other)).toContain('has results of another slide');
    expect(await names.give({ source: a, base: 'S1', isSame: is('of a') })).toBe('S1');
    mkdirSync(join(folder, 'S2'));
    writeFileSync(join(folder, 'S2', 'summary.json'), 'cut sho');
    expect(await names.give({ source: file('a/S2.svs'), base: 'S2' })).toBe('S2');
  });

  it('is kept on disk, beside runs that come and go', async () => {
    const path = join(folder, '.ledger');
    const lasting = await openLedger(path);
    await lasting.names.give('S1', '/a/S1.svs');
    await lasting.names.give('s2', `/${'long/'.repeat(500)}s2.svs`);
    await lasting.run({ slide: 's2', fingerprint: 'f', modelVersion: 'm', plan: 'p' });
    await lasting.run({ slide: 's2', fingerprint: 'g', modelVersion: 'm', plan: 'p' });
    await lasting.close();
    const again = await openLedger(path);
    try {
      expect([again.names.sourceOf('s1'), again.names.nameOf('/a/S1.svs')]).toEqual(['/a/S1.svs', 'S1']);
      expect([again.names.sourceOf('S2')?.length, again.names.nameOf('/nobody')]).toEqual([2507, undefined]);
      expect(again.find('s2')).toMatchObject({ fingerprint: 'g', state: 'open' });
      expect(again.find('s1')).toBeUndefined();
    } finally {
      await again.close();
    }
  });
});
