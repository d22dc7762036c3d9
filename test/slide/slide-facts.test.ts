import { expect, it } from 'vitest';
import { planPatches } from '#src/read/plan.js';
import { type SlideFacts, withSpacing } from '#src/slide/slide-facts.js';
import { attributesOf04, storedLevels } from '#src/store/zarr-metadata.js';

const levels = [
  { width: 1000, height: 800, downsample: 1, tileWidth: 256, tileHeight: 256 },
  { width: 500, height: 400, downsample: 2, tileWidth: 256, tileHeight: 256 },
];
const spaced = (mpp: SlideFacts['mpp'], given?: number) => withSpacing('a.tiff', { mpp, levels }, given);

it('a spacing an axis makes areas the product of both, and says so', () => {
  const { mpp, axes, levels: found, notes } = spaced({ x: 0.25, y: 0.5 });
  expect(mpp ** 2).toBeCloseTo(0.125, 12);
  expect(axes).toEqual({ x: 0.25, y: 0.5 });
  expect(found.map(level => level.mpp ** 2)).toEqual([expect.closeTo(0.125, 12), expect.closeTo(0.5, 12)]);
  expect(notes).toEqual([{ code: 'axes-differ', message: expect.stringContaining('0.25 × 0.5 µm') }]);
});

it('axes that differ by less than a hundredth are written without a word, by rounding they are one', () => {
  expect(spaced({ x: 0.2499, y: 0.2515 })).toMatchObject({ axes: { x: 0.2499, y: 0.2515 } });
  expect(spaced({ x: 0.2499, y: 0.2515 }).notes).toBeUndefined();
  expect(spaced({ x: 0.25, y: 0.250001 }).axes).toBeUndefined();
});

it('a spacing that is given goes before both axes', () => {
  expect(spaced({ x: 0.25, y: 0.5 }, 0.3)).toEqual({
    mpp: 0.3,
    levels: [expect.objectContaining({ mpp: 0.3 }), expect.objectContaining({ mpp: 0.6 })],
  });
});

it.each([
  [{ x: 0, y: 0.5 }, 'CONFIG_INVALID'],
  [{ x: Number.NaN, y: 0.5 }, 'CONFIG_INVALID'],
  [undefined, 'SLIDE_NO_MPP'],
])('refuses %o', (mpp, code) => {
  expect(() => spaced(mpp)).toThrow(expect.objectContaining({ code }));
});

it('the mask of OME-Zarr has the spacing of each axis', () => {
  const info = {
    id: 'a',
    path: 'a.tiff',
    format: 'TIFF',
    fingerprint: '',
    properties: {},
    ...spaced({ x: 0.4, y: 0.5 }),
  };
  const plan = planPatches(info, { spacing: Math.sqrt(0.2) * 2, patchSize: 64 });
  const attributes = attributesOf04('mask', plan, storedLevels(plan)) as {
    multiscales: { datasets: { coordinateTransformations: { scale?: number[] }[] }[] }[];
  };
  const { scale } = attributes.multiscales[0]!.datasets[0]!.coordinateTransformations[0]!;
  expect(scale).toEqual([expect.closeTo(1, 12), expect.closeTo(0.8, 12)]);
});
