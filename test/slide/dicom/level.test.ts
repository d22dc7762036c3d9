import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newFacts } from '#src/slide/dicom/facts.js';
import type { DicomInstance } from '#src/slide/dicom/instance.js';
import { describeLevel, emptyGrid } from '#src/slide/dicom/level.js';
import { TRANSFER_SYNTAXES } from '#src/slide/dicom/transfer-syntax.js';
import { failureOf } from '../fixture.js';

const NATIVE = TRANSFER_SYNTAXES['1.2.840.10008.1.2.1']!;

/** An instance whose frame i lies at bytes 100 i to 100 i + 50 of its file. */
function instance(facts: Partial<DicomInstance['facts']>, rest: Partial<DicomInstance> = {}): DicomInstance {
  const { frames = 1 } = facts;
  const numbers = Float64Array.from({ length: frames }, (_, i) => i * 100);
  const whole = { ...newFacts(), rows: 24, columns: 32, samplesPerPixel: 3, photometric: 'RGB', ...facts };
  return {
    path: 'slide.dcm',
    size: 1,
    modified: 0,
    syntax: NATIVE,
    spacing: { x: 0.5, y: 0.5, stated: true },
    dataAt: 0,
    frames: { starts: numbers, ends: numbers.map(start => start + 50) },
    facts: whole,
    ...rest,
  };
}

const extentOf = ({ facts }: DicomInstance) => ({ width: facts.matrixColumns, height: facts.matrixRows });
const describeAll = (instances: readonly DicomInstance[], extent = extentOf(instances[0]!)) =>
  describeLevel(instances, extent, one => instances.indexOf(one));
const count = (size: number, tile: number) => Math.floor((size - 1) / tile) + 1;

/** Sizes of a matrix and of its frames, and an order of all the places in it. */
const layout = fc
  .record({
    matrixColumns: fc.integer({ min: 1, max: 200 }),
    matrixRows: fc.integer({ min: 1, max: 200 }),
    columns: fc.integer({ min: 16, max: 64 }),
    rows: fc.integer({ min: 16, max: 64 }),
  })
  .chain(sizes => {
    const places = count(sizes.matrixColumns, sizes.columns) * count(sizes.matrixRows, sizes.rows);
    const all = Array.from({ length: places }, (_, place) => place);
    return fc.tuple(fc.constant(sizes), fc.shuffledSubarray(all, { minLength: all.length }), fc.nat({ max: places }));
  });

describe('describeLevel', () => {
  it('puts the frames of TILED_FULL row by row, whatever positions say', () => {
    fc.assert(
      fc.property(layout, ([sizes, order]) => {
        const grid = describeAll([instance({ ...sizes, frames: order.length, tiledFull: true, positions: [7, 7] })]);
        expect([grid.cols, grid.rows]).toEqual([
          count(sizes.matrixColumns, sizes.columns),
          count(sizes.matrixRows, sizes.rows),
        ]);
        expect([...grid.starts]).toEqual(order.map((_, tile) => tile * 100));
        expect([...grid.ends]).toEqual(order.map((_, tile) => tile * 100 + 50));
        expect(grid.parts.every(part => part === 0)).toBe(true);
      }),
    );
  });

  it('puts the frames of TILED_SPARSE where they say, and leaves the rest empty', () => {
    fc.assert(
      fc.property(layout, ([sizes, order, kept]) => {
        const cols = count(sizes.matrixColumns, sizes.columns);
        const there = order.slice(0, Math.max(1, kept));
        const positions = there.flatMap(tile => [
          (tile % cols) * sizes.columns + 1,
          Math.floor(tile / cols) * sizes.rows + 1,
        ]);
        const grid = describeAll([instance({ ...sizes, frames: there.length, positions })]);
        for (const tile of order) {
          const frame = there.indexOf(tile);
          expect(grid.parts[tile]).toBe(frame < 0 ? -1 : 0);
          if (frame >= 0) expect([grid.starts[tile], grid.ends[tile]]).toEqual([frame * 100, frame * 100 + 50]);
        }
      }),
    );
  });

  it('takes each tile of a concatenation from the part that holds it, however the parts are cut and ordered', () => {
    fc.assert(
      fc.property(layout, fc.array(fc.nat(), { maxLength: 4 }), ([sizes, order], cuts) => {
        const total = order.length;
        const edges = [...new Set([0, ...cuts.map(cut => cut % total), total])].sort((a, b) => a - b);
        const parts = edges.slice(1).map((end, i) =>
          instance({
            ...sizes,
            concatenation: '1.2',
            part: i + 1,
            parts: edges.length - 1,
            frameOffset: edges[i]!,
            frames: end - edges[i]!,
            tiledFull: true,
          }),
        );
        const grid = describeAll(parts.toReversed());
        for (const tile of order) {
          const part = edges.findLastIndex(edge => edge <= tile);
          expect(grid.parts[tile]).toBe(parts.length - 1 - part);
          expect(grid.starts[tile]).toBe((tile - edges[part]!) * 100);
        }
      }),
    );
  });

  const SIZES = { matrixColumns: 100, matrixRows: 70 };
  const part = (facts: Partial<DicomInstance['facts']>) =>
    instance({ ...SIZES, concatenation: '1.2', tiledFull: true, frames: 6, ...facts });

  it('keeps the first of two frames of one place, and passes over frames behind the grid', () => {
    const positions = [1, 1, 1, 1];
    expect(describeAll([instance({ ...SIZES, frames: 2, positions })]).starts[0]).toBe(0);
    // A second focal plane of TILED_FULL follows the first one (PS3.3, C.7.6.17.3).
    const planes = describeAll([instance({ ...SIZES, frames: 24, tiledFull: true })]);
    expect([...planes.starts]).toEqual(Array.from({ length: 12 }, (_, tile) => tile * 100));
  });

  it('takes a concatenation that does not say how many parts it has as it is', () => {
    const grid = describeAll([part({ part: 2, frameOffset: 6 })]);
    expect([...grid.parts]).toEqual([...Array<number>(6).fill(-1), ...Array<number>(6).fill(0)]);
  });

  it('says how many parts of how many are there', async () => {
    const failure = await failureOf(() => describeAll([part({ part: 1, parts: 3 }), part({ part: 1, parts: 3 })]));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_TRUNCATED',
      'slide.dcm: only 1 of the 3 parts of its level are there',
    ]);
  });

  it.each<[string, Partial<DicomInstance['facts']>, Partial<DicomInstance>]>([
    ['rows', { rows: 25 }, {}],
    ['columns', { columns: 31 }, {}],
    ['samples', { samplesPerPixel: 1 }, {}],
    ['colour model', { photometric: 'YBR_FULL' }, {}],
    ['order of samples', { planar: true }, {}],
    ['codec', {}, { syntax: { ...NATIVE, codec: 'jpeg' } }],
    ['encapsulation', {}, { syntax: { ...NATIVE, encapsulated: true } }],
  ])('refuses parts of another kind by their %s, naming the part', async (_, facts, rest) => {
    const first = part({ part: 1, parts: 2 });
    const other = part({ part: 2, parts: 2, frameOffset: 6, ...facts });
    const failure = await failureOf(() => describeAll([first, { ...other, ...rest, path: 'other.dcm' }]));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNREADABLE',
      'other.dcm: does not fit the other parts of its level',
    ]);
  });

  it.each<[string, readonly number[], string, RegExp]>([
    ['left of the slide', [1, 1, 0, 1], 'SLIDE_UNREADABLE', /frame 2 lies outside/],
    ['above it', [1, 1, 1, -23], 'SLIDE_UNREADABLE', /frame 2 lies outside/],
    ['right of it', [129, 1, 1, 1], 'SLIDE_UNREADABLE', /frame 1 lies outside/],
    ['below it', [1, 73, 1, 1], 'SLIDE_UNREADABLE', /frame 1 lies outside/],
    ['nowhere', [1, 1], 'SLIDE_UNREADABLE', /frame 2 lies outside/],
    ['between columns', [1, 1, 34, 1], 'SLIDE_UNSUPPORTED', /on no grid/],
    ['between rows', [1, 1, 33, 26], 'SLIDE_UNSUPPORTED', /on no grid/],
  ])('refuses a frame %s', async (_, positions, code, message) => {
    const failure = await failureOf(() => describeAll([instance({ ...SIZES, frames: 2, positions: [...positions] })]));
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it('wants positions, or frames for every place', async () => {
    const failure = await failureOf(() => describeAll([instance({ ...SIZES, frames: 11, tiledFull: true })]));
    expect(failure.message).toBe('slide.dcm: does not say where its frames belong');
    expect(describeAll([instance({ ...SIZES, frames: 12 })]).starts[11]).toBe(1100);
  });

  it.each([
    ['more frames than places', { frames: 16, planes: 1 }, /has 16 frames for 12 places, so/],
    ['more where nothing says how many planes there are', { frames: 13 }, /has 13 frames for 12 places/],
    ['two layers where there is one plane', { frames: 24, planes: 1 }, /has 24 frames for 12 places/],
    [
      'too few for its planes',
      { frames: 35, planes: 3 },
      /has 35 frames for 12 places in 3 focal planes and 1 light path/,
    ],
  ])('refuses TILED_FULL of %s', async (_, facts, message) => {
    const failure = await failureOf(() => describeAll([instance({ ...SIZES, tiledFull: true, ...facts })]));
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', expect.stringMatching(message)]);
  });

  it.each([
    ['one plane of several', { frames: 12, planes: 3 }],
    ['all planes', { frames: 36, planes: 3 }],
    [
      'all planes by each light',
      { frames: 72, planes: 3, paths: ['a', 'b'].map(id => ({ id, brightfield: id === 'a' })) },
    ],
    ['planes that nothing tells of', { frames: 36 }],
  ])('reads TILED_FULL of %s', (_, facts) => {
    expect(describeAll([instance({ ...SIZES, tiledFull: true, ...facts })]).parts.every(at => at === 0)).toBe(true);
  });

  it.each([5, 7])('refuses a concatenation whose last part has %i frames instead of 6', async frames => {
    const parts = [part({ part: 1, parts: 2 }), part({ part: 2, parts: 2, frameOffset: 6, frames })];
    expect((await failureOf(() => describeAll(parts))).message).toMatch(/has 1[13] frames for 12 places/);
  });

  it('tells of frames of one place and depth', () => {
    const positions = [1, 1, 33, 1, 1, 1, 33, 1];
    const told: number[] = [];
    describeLevel(
      [instance({ ...SIZES, frames: 4, positions })],
      extentOf(part({})),
      () => 0,
      all => told.push(...all),
    );
    expect(told).toEqual([3, 4]);
    const planes = instance({ ...SIZES, frames: 4, positions, depths: [1, 1, 2, 2] });
    describeLevel(
      [planes],
      extentOf(part({})),
      () => 0,
      all => told.push(...all),
    );
    expect(told).toEqual([3, 4]);
  });

  it('allocates no grid of more than 2^22 frames', async () => {
    const claim = { rows: 1, columns: 1, matrixRows: 2048 };
    const grid = (matrixColumns: number) => {
      const claimed = instance({ ...claim, matrixColumns });
      return emptyGrid(claimed, extentOf(claimed));
    };
    expect(grid(2048).parts.length).toBe(2 ** 22);
    const failure = await failureOf(() => grid(2049));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNREADABLE',
      'slide.dcm: claims a grid of 2049 × 2048 frames',
    ]);
  });
});
