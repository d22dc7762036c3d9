import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PARAMETERS as NAME, readParameters } from '#src/slide/fields/parameters.js';
import { PARAMETERS } from '../../support/field-scan.js';
import { scratch } from '../fixture.js';

const files = scratch();
afterAll(() => files.remove());
const read = (value: unknown) => {
  files.write(NAME, typeof value === 'string' ? value : JSON.stringify(value));
  return readParameters(files.path('.'));
};

describe('acquisition parameters.json', () => {
  it('says what a pixel spans: the camera’s, through an objective made for another tube lens', () => {
    // 1.85 µm pixels, 20× made for 180 mm, behind 50 mm: magnified 5.56 times.
    const objective = { magnification: 20, NA: 0.8, tube_lens_f_mm: 180, name: '20x' };
    const { mpp } = read({ ...PARAMETERS, objective, sensor_pixel_size_um: 1.85, tube_lens_mm: 50 })!;
    expect(mpp).toBeCloseTo(1.85 / (50 / (180 / 20)), 12);
    expect(read(PARAMETERS)!.mpp).toBeCloseTo(0.5, 12);
  });

  it('says how many planes, times and fields', () => {
    expect(read({ ...PARAMETERS, Nz: 5, Nt: 2, Nx: 3, Ny: 4 })).toMatchObject({ planes: 5, times: 2, fields: 12 });
    expect(read(PARAMETERS)).toMatchObject({ planes: 1, times: 1, fields: undefined });
  });

  it('states no spacing that it does not have, and may be any text', () => {
    expect(read({ ...PARAMETERS, objective: {} })!.mpp).toBeUndefined();
    expect(read('{"Nx": 1')).toBeUndefined();
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        const { mpp = 1, planes, times } = read(text) ?? { planes: 1, times: 1 };
        expect(mpp > 0 && planes >= 1 && times >= 1).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
