import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PatchRecord } from '#src/read/patch.js';
import { PatchRecords } from '#src/read/patch-records.js';
import { PATCHES_FILE, PatchLines, patchLine } from '#src/store/patches-jsonl.js';
import { failureOf } from '../slide/fixture.js';
import { maskedSlide, temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
let lines: PatchLines;
beforeEach(() => {
  folder = temporaryFolder();
  lines = new PatchLines(folder.path, plan);
});
afterEach(() => {
  lines.close();
  folder.remove();
});

/** 8 × 5 patches of a slide whose mask is coarser than its pixels by a fraction. */
const { plan, patches } = maskedSlide({ width: 1000, height: 701, mpp: 0.25, spacing: 0.5 });
const records = patches.map(({ record }) => record);
const those = (...some: readonly PatchRecord[]): PatchRecords => {
  const all = new PatchRecords(plan);
  for (const record of some) all.set(record);
  return all;
};
const read = (): Record<string, unknown>[] =>
  readFileSync(join(folder.path, PATCHES_FILE), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));

describe('a line of patches.jsonl', () => {
  it('says where the patch lies in the pixels of the slide, cut at its edges', () => {
    for (const record of records) {
      const { x, y, width, height } = JSON.parse(patchLine(record, plan));
      expect([x, y]).toEqual([record.col * 128, record.row * 128]);
      expect([width, height]).toEqual([Math.min(128, 1000 - x), Math.min(128, 701 - y)]);
    }
  });

  it('has scores and a code only where there are any, and ends', () => {
    const [record] = records as [PatchRecord];
    const scored = patchLine({ ...record, intersection: 0, union: 3 }, plan);
    expect(JSON.parse(scored)).toMatchObject({ intersection: 0, union: 3 });
    expect(JSON.parse(patchLine({ ...record, outcome: 'failed', code: 'TILE_CORRUPT' }, plan)).code).toBe(
      'TILE_CORRUPT',
    );
    expect(Object.keys(JSON.parse(patchLine(record, plan)))).not.toContain('code');
    expect(Object.keys(JSON.parse(patchLine(record, plan)))).not.toContain('missingPixels');
    const missingAt = [{ x: 0, y: 0, width: 5, height: 8 }];
    const lost = JSON.parse(patchLine({ ...record, outcome: 'missing', missingPixels: 40, missingAt }, plan));
    expect(lost).toMatchObject({ outcome: 'missing', missingPixels: 40 });
    expect(lost).not.toHaveProperty('missingAt');
    expect(scored.endsWith('}\n') && scored.indexOf('\n') === scored.length - 1).toBe(true);
  });
});

describe('patches.jsonl', () => {
  it('grows by a line a patch, and is sorted by row and column in the end, whatever the order', () => {
    const orders = fc.shuffledSubarray(records);
    fc.assert(
      fc.property(orders, given => {
        rmSync(join(folder.path, PATCHES_FILE), { force: true });
        for (const [index, record] of given.entries()) {
          lines.append(record);
          expect(read()).toHaveLength(index + 1);
        }
        expect(lines.rewrite(those(...given))).toBe(given.length);
        const places = read().map(({ col, row }) => Number(row) * plan.cols + Number(col));
        expect(places).toEqual([...places].sort((a, b) => a - b));
        expect(places).toHaveLength(given.length);
      }),
      { numRuns: 15 },
    );
  });

  it('goes on in the file that it rewrote, not in the one that is gone', () => {
    lines.append(records[1]!);
    lines.rewrite(those(records[0]!));
    lines.append(records[2]!);
    lines.close();
    lines.append(records[3]!);
    expect(read().map(({ col }) => col)).toEqual([0, 2, 3]);
  });

  it('drops what an earlier start left half written', () => {
    lines.append(records[0]!);
    appendFileSync(join(folder.path, PATCHES_FILE), '{"level":0,"col":');
    lines.rewrite(those(records[0]!));
    expect(read()).toHaveLength(1);
  });

  it('names the file that cannot be written', async () => {
    writeFileSync(join(folder.path, 'file'), '');
    const below = new PatchLines(join(folder.path, 'file'), plan);
    for (const act of [() => below.append(records[0]!), () => below.rewrite(those(...records))]) {
      const error = await failureOf(act);
      expect([error.code, error.message]).toEqual(['OUTPUT_FAILED', expect.stringContaining(PATCHES_FILE)]);
    }
  });
});
