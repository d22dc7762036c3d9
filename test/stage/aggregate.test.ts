import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PatchRecord } from '#src/read/patch.js';
import { RunningAggregate } from '#src/stage/aggregate.js';

const record = (col: number, row: number, rest: Partial<PatchRecord> = {}): PatchRecord => ({
  level: 0,
  col,
  row,
  outcome: 'segmented',
  validPixels: 100,
  tissuePixels: 80,
  stromaPixels: 40,
  ...rest,
});

describe('RunningAggregate', () => {
  it('adds areas in mm² from the spacing', () => {
    const aggregate = new RunningAggregate({ cols: 2, rows: 1, mpp: 0.5 });
    aggregate.add(record(0, 0, { stromaPixels: 4_000_000, tissuePixels: 8_000_000 }));
    expect(aggregate.areas()).toEqual({ stromaMm2: 1, tissueMm2: 2, stromaFraction: 0.5 });
  });

  it('replaces a patch that comes again', () => {
    const aggregate = new RunningAggregate({ cols: 2, rows: 2, mpp: 1 });
    aggregate.add(record(1, 1, { outcome: 'failed', stromaPixels: 0, tissuePixels: 0 }));
    aggregate.add(record(1, 1));
    aggregate.add(record(1, 1));
    expect(aggregate.counts(false)).toEqual({ expected: 4, segmented: 1, empty: 0, missing: 0, failed: 0 });
    expect(aggregate.areas().stromaFraction).toBe(0.5);
  });

  it('counts missing patches as they come, and once the slide is over those that never came, too', () => {
    const aggregate = new RunningAggregate({ cols: 4, rows: 1, mpp: 1 });
    aggregate.add(record(0, 0));
    expect(aggregate.counts(false).missing).toBe(0);
    aggregate.add(record(1, 0, { outcome: 'missing', tissuePixels: 0, stromaPixels: 0, missingPixels: 100 }));
    expect(aggregate.counts(false)).toEqual({ expected: 4, segmented: 1, empty: 0, missing: 1, failed: 0 });
    expect(aggregate.counts(true).missing).toBe(3);
    expect(aggregate.complete).toBe(false);
  });

  it('has the area that is missing only while some is', () => {
    const aggregate = new RunningAggregate({ cols: 2, rows: 1, mpp: 0.5 });
    aggregate.add(record(0, 0));
    expect(aggregate.areas()).not.toHaveProperty('missingMm2');
    aggregate.add(record(1, 0, { missingPixels: 4_000_000 }));
    expect(aggregate.areas().missingMm2).toBe(1);
    aggregate.add(record(1, 0));
    expect(aggregate.areas()).not.toHaveProperty('missingMm2');
  });

  it('never has more than all of the tissue as stroma', () => {
    const aggregate = new RunningAggregate({ cols: 1, rows: 1, mpp: 0.5 });
    aggregate.add(record(0, 0, { stromaPixels: 90, tissuePixels: 60 }));
    expect(aggregate.areas().stromaFraction).toBe(1);
  });

  it('gives an IoU only where there were labels, and no value while nothing is positive', () => {
    const aggregate = new RunningAggregate({ cols: 3, rows: 1, mpp: 1 });
    aggregate.add(record(0, 0));
    expect(aggregate.iou()).toBeUndefined();
    aggregate.add(record(1, 0, { intersection: 0, union: 0 }));
    expect(aggregate.iou()?.value).toBeNull();
    aggregate.add(record(2, 0, { intersection: 3, union: 4 }));
    expect(aggregate.iou()).toEqual({ value: 0.75, intersection: 3, union: 4, labelledPatches: 2 });
  });

  it('depends on the last record of each patch only, whatever the order and the repeats', () => {
    const places = fc.record({ col: fc.nat(3), row: fc.nat(2), stroma: fc.nat(1000), empty: fc.boolean() });
    fc.assert(
      fc.property(fc.array(places, { maxLength: 60 }), entries => {
        const streamed = new RunningAggregate({ cols: 4, rows: 3, mpp: 0.5 });
        const last = new Map<string, PatchRecord>();
        for (const { col, row, stroma, empty } of entries) {
          const next = record(col, row, { stromaPixels: stroma, outcome: empty ? 'empty' : 'segmented' });
          streamed.add(next);
          last.set(`${col}/${row}`, next);
        }
        const direct = new RunningAggregate({ cols: 4, rows: 3, mpp: 0.5 });
        for (const next of last.values()) direct.add(next);
        expect(streamed.counts(true)).toEqual(direct.counts(true));
        expect(streamed.areas()).toEqual(direct.areas());
      }),
    );
  });
});
