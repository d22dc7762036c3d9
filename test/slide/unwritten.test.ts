import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { isUnwritten, rawTileState } from '#src/slide/unwritten.js';
import { scratch } from './fixture.js';
import { type PageOptions, plain, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

describe('bytes that were never written', () => {
  it('are all zero, and some', () => {
    expect(isUnwritten(new Uint8Array(0))).toBe(false);
    expect(isUnwritten(new Uint8Array(500))).toBe(true);
    for (const at of [0, 250, 499]) expect(isUnwritten(new Uint8Array(500).fill(1, at, at + 1)), `${at}`).toBe(false);
  });

  it('are the rows of a tile without a byte that is not zero, wherever they lie', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(8), { nil: undefined }), { minLength: 1, maxLength: 12 }), written => {
        const stored = new Uint8Array(written.length * 9);
        for (const [row, at] of written.entries()) if (at !== undefined) stored[row * 9 + at] = 255;
        const state = rawTileState(stored, 9, written.length, 3);
        const missing = new Set<number>();
        if (typeof state !== 'string')
          for (const { x, y, width, height } of state.gaps) {
            expect([x, width]).toEqual([0, 3]);
            for (let row = y; row < y + height; row++) missing.add(row);
          }
        const blank = written.flatMap((at, row) => (at === undefined ? [row] : []));
        if (blank.length === written.length) expect(state).toBe('missing');
        else if (blank.length === 0) expect(state).toBe('decoded');
        else expect([...missing]).toEqual(blank);
      }),
    );
  });
});

describe('a tile of zeros', () => {
  let count = 0;
  const stateOf = async (page: Omit<PageOptions, 'picture' | 'tile'>, colour: readonly number[], tile = true) => {
    const picture = plain(64, 64, colour);
    const path = files.write(
      `${count++}.tiff`,
      writeTiff([{ ...page, picture, ...(tile ? { tile: [64, 64] as const } : { rowsPerStrip: 64 }) }]),
    );
    const source = await openTileSource((await openSlide(path, { mpp: 0.5 })).source);
    const state = await source.readTile(0, 0, 0, new Uint8Array(64 * 64 * 3));
    source.close();
    return state;
  };

  it('is missing where nothing is coded, in tiles and strips, whatever zero means there', async () => {
    for (const tile of [true, false]) {
      expect(await stateOf({}, [0, 0, 0], tile)).toBe('missing');
      expect(await stateOf({ photometric: 1 }, [0], tile)).toBe('missing');
      // White is stored as zero: it may be glass, or room that nobody wrote into.
      expect(await stateOf({ photometric: 0 }, [0], tile)).toBe('missing');
    }
  });

  it.each(['deflate', 'lzw', 'packbits', 'jpeg'] as const)('that %s decodes to is black', async compression => {
    expect(await stateOf({ compression }, [0, 0, 0])).toBe('decoded');
  });

  it('that was begun has the rows that were written', async () => {
    const damage = (bytes: Buffer): Buffer => bytes.fill(0, 64 * 3 * 40);
    expect(await stateOf({ damage }, [200, 100, 150])).toEqual({ gaps: [{ x: 0, y: 40, width: 64, height: 24 }] });
    const oneSample = (bytes: Buffer): Buffer => bytes.fill(0).fill(1, 64 * 3 * 40, 64 * 3 * 40 + 1);
    expect(await stateOf({ damage: oneSample }, [200, 100, 150])).toMatchObject({
      gaps: [
        { y: 0, height: 40 },
        { y: 41, height: 23 },
      ],
    });
  });
});
