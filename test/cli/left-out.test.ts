import { describe, expect, it } from 'vitest';
import type { SlideResult } from '#pipelines/slide-result.js';
import { closingLine, closingOf } from '#src/cli/closing.js';
import { leftOut, leftOutLine, type Told } from '#src/cli/left-out.js';
import { printResult } from '#src/cli/results.js';
import { StromaflowError } from '#src/errors.js';
import { capture } from './capture.js';

const patches = { expected: 30, segmented: 20, empty: 10, missing: 0, failed: 0 };
const tiles = { expected: 120, seen: 120, missing: 0, late: 0, overwritten: 0 };
const area = { stromaMm2: 0.1, tissueMm2: 0.5, stromaFraction: 0.2 };
const whole: Told = { patches, tiles, area, notes: [], errors: [] };
const lineOf = (told: Partial<Told>): string | undefined => {
  const left = leftOut({ ...whole, ...told });
  return left && leftOutLine(left);
};

describe('the line on what is not in a result', () => {
  it('is not said of a slide that is in it whole, nor of summaries that do not tell', () => {
    expect(lineOf({})).toBeUndefined();
    expect(lineOf({ notes: [{ code: 'axes-differ', message: 'not square' }] })).toBeUndefined();
    expect(lineOf({ tiles: { ...tiles, seen: 116, drawn: 4 } })).toBeUndefined();
    expect(leftOut({ patches })).toBeUndefined();
  });

  it('counts tiles, patches and area that are missing, and what failed with its commonest reason', () => {
    const error = { level: 0, col: 0, row: 0 };
    const line = lineOf({
      patches: { ...patches, segmented: 14, missing: 3, failed: 3 },
      tiles: { ...tiles, seen: 108, missing: 12 },
      area: { ...area, missingMm2: 0.0409 },
      errors: ['SLIDE_UNREADABLE', 'TILE_CORRUPT', 'TILE_CORRUPT'].map(code => ({ ...error, code })),
    });
    expect(line).toBe(
      'not in the result: 12 of 120 tiles missing; 3 of 30 patches missing; 0.041 mm² without pixels; ' +
        '3 of 30 patches failed (TILE_CORRUPT)',
    );
  });

  it('says of a sparse slide that it was not scanned there', () => {
    const notes = [{ code: 'sparse', message: 'x' }] as const;
    expect(lineOf({ patches: { ...patches, empty: 4, missing: 6 }, notes })).toBe(
      'not in the result: 6 of 30 patches not scanned',
    );
  });

  it('names levels, images, planes, instances and labels that were left out', () => {
    const notes = [
      { code: 'image-left-out', message: 'image 2 of 100 × 90 pixels' },
      { code: 'assumed', message: 'said elsewhere' },
      { code: 'plane-left-out', message: 'planes 1 and 3 of 3' },
    ] as const;
    expect(lineOf({ notes })).toBe('not in the result: image 2 of 100 × 90 pixels; planes 1 and 3 of 3');
  });
});

const folder = '/out/S';
const result = (id: string, more: Partial<Told>, state: 'completed' | 'incomplete' = 'completed'): SlideResult => {
  const summary = { ...whole, ...more, source: {} } as never;
  const path = `/in/${id}.svs`;
  if (state === 'completed') return { path, id, state, summary, folder };
  return { path, id, state, reason: 'tiles-missing', done: 1, expected: 30, summary, folder };
};
const lost = { patches: { ...patches, empty: 8, missing: 2 }, tiles: { ...tiles, seen: 113, missing: 7 } };
const failed: SlideResult = { path: '/in/x', id: 'x', state: 'failed', error: new StromaflowError('INTERNAL', 'no') };

describe('the closing line', () => {
  it('counts the slides by what became of them, and what all of them lost', () => {
    const results = [
      ...[result('a', {}), result('b', lost), failed, result('d', lost, 'incomplete')],
      ...[{ path: '/in/e', id: 'e', state: 'done-before', folder } as const],
    ];
    const closing = closingOf(results);
    expect(closing).toMatchObject({ slides: 5, completed: 1, completedWithLosses: 1, tilesMissing: 14 });
    expect(closingLine(closing)).toBe(
      '5 slides: 1 completed, 1 completed with losses, 1 done before, 1 INCOMPLETE, 1 FAILED; ' +
        'not in the results: 14 tiles missing, 4 patches missing',
    );
  });

  it('takes what was not scanned for no loss', () => {
    const sparse = { ...lost, notes: [{ code: 'sparse', message: 'x' }] } as const;
    expect(closingLine(closingOf([result('a', sparse), result('b', {})]))).toBe('2 slides: 2 completed');
  });

  it('has a word for one slide, and for none', () => {
    expect(closingLine(closingOf([result('a', {})]))).toBe('1 slide: 1 completed');
    expect(closingLine(closingOf([]))).toBe('no slides');
  });

  it('takes the last word on a slide that came again', () => {
    const closing = closingOf([result('d', lost, 'incomplete'), result('b', {}), result('d', {})]);
    expect(closingLine(closing)).toBe('2 slides: 2 completed');
  });
});

describe('what is said of a slide with losses', () => {
  it('has the line below its areas, and for programs the same in fields', async () => {
    const written = capture();
    try {
      const notes = [{ code: 'axes-differ', message: 'pixels are not square' }] as const;
      await printResult(result('b', { ...lost, notes }), written.terminal);
      expect(written.lines.slice(0, 3)).toEqual([
        'b: stroma 0.100 mm² of 0.500 mm² tissue (20.0 %), 20 patches segmented, 8 without tissue, 2 MISSING',
        '  not in the result: 7 of 120 tiles missing; 2 of 30 patches missing',
        '  note: pixels are not square',
      ]);
      expect(written.values).toMatchObject([{ patches: { missing: 2 }, leftOut: { tiles: 7, patchesMissing: 2 } }]);
    } finally {
      written.restore();
    }
  });

  it('is incomplete, with what was found, when most of it lacks', async () => {
    const written = capture();
    try {
      await printResult(result('d', lost, 'incomplete'), written.terminal);
      expect(written.lines[0]).toMatch(
        /^d: INCOMPLETE \(most of its tiles are not stored, or were never written\): stroma 0\.100 .* tried again/,
      );
      expect(written.lines[1]).toMatch(/^ {2}not in the result: 7 of 120 tiles missing/);
    } finally {
      written.restore();
    }
  });
});
