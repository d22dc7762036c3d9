import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunGzip } from '#src/mask/run-gzip.js';

const rasterOf = (runs: readonly number[]): Uint8Array =>
  Uint8Array.from(runs.flatMap((length, i) => Array<number>(length).fill(i & 1)));

const isSame = (raster: Uint8Array): boolean =>
  Buffer.compare(gunzipSync(new RunGzip(raster.length).pack(raster)), raster) === 0;

describe('RunGzip', () => {
  it('gives back rasters of any runs', () => {
    const lengths = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1200 }));
    fc.assert(
      fc.property(fc.array(lengths, { minLength: 1, maxLength: 60 }), fc.boolean(), (runs, isSet) =>
        isSame(rasterOf(isSet ? [0, ...runs] : runs)),
      ),
    );
  });

  it('gives back every length of a run, wherever it begins in a word', () => {
    for (let length = 1; length <= 1040; length++)
      for (let before = 0; before < 4; before++) expect(isSame(rasterOf([before, length, 1])), `${length}`).toBe(true);
  });

  it('has room for the raster that packs worst', () => {
    const raster = Uint8Array.from({ length: 512 * 512 }, (_, i) => i & 1);
    expect(isSame(raster)).toBe(true);
  });

  it('packs a raster of one value into 1 KB, and smaller ones after it into what they need', () => {
    const gzip = new RunGzip(512 * 512);
    expect(gzip.pack(new Uint8Array(512 * 512)).length).toBeLessThan(1000);
    const small = rasterOf([700, 24, 300]);
    expect([...gunzipSync(gzip.pack(small))]).toEqual([...small]);
  });
});
