import { appendFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIndex } from '#src/slide/ndtiff/read-index.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { ALWAYS_THERE } from '#src/watch/presence.js';
import { failureOf } from '../slide/fixture.js';
import { followed, PATIENT, sorted, upTo } from './follow.js';
import { ndTiffFolder, SUMMARY } from './nd-tiff-folder.js';

const LONG = { stallSeconds: PATIENT.stallSeconds };

describe('a growing NDTiff data set', () => {
  it('gives out each tile once, in the order of its entries, and is complete with the last', () =>
    fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(upTo(6), { minLength: 6 }), fc.nat(5), async (order, first) => {
        const { put, open } = ndTiffFolder();
        for (const tile of order.slice(0, first + 1)) put(tile);
        const live = open(LONG)!;
        const came = await followed(live, seen => {
          for (const tile of order.slice(seen.length, seen.length + 1)) put(tile);
        });
        expect(came).toEqual(order);
        expect([live.state, live.tiles]).toEqual(['complete', { expected: 6, seen: 6, missing: 0, overwritten: 0 }]);
        expect(await live.closed).toBe(false);
      }),
      { numRuns: 15 },
    ));

  it('waits for the whole of an entry, and past the zeros of a file that was reserved', async () => {
    const { put, entryOf, open, index, part } = ndTiffFolder();
    put(0);
    const length = readFileSync(index).length;
    const { pixels, entry } = entryOf(1, 9, {});
    appendFileSync(part, pixels);
    appendFileSync(index, Buffer.concat([entry.subarray(0, 20), Buffer.alloc(1000)]));
    const live = open(LONG)!;
    const came = await followed(live, seen => {
      if (seen.length > 1) return;
      writeFileSync(index, Buffer.concat([readFileSync(index).subarray(0, length), entry, Buffer.alloc(1000)]));
      writeFileSync(join(index, '..', '.done'), '');
    });
    expect(came).toEqual([0, 1]);
    expect(live.tiles).toEqual({ expected: 6, seen: 2, missing: 4, overwritten: 0 });
  });

  it('waits for pixels whose entry is seen first, as over a network', async () => {
    const { put, entryOf, open, index, part } = ndTiffFolder();
    put(0);
    const { pixels, entry } = entryOf(1, 9, {});
    appendFileSync(index, entry);
    let pixelsCame = false;
    const live = open(LONG)!;
    const came = await followed(live, seen => {
      if (!seen.includes(1)) {
        expect(seen).toEqual([0]);
        appendFileSync(part, pixels);
        pixelsCame = true;
      } else for (const tile of [2, 3, 4, 5]) if (seen.length === 2) put(tile);
    });
    expect([came, pixelsCame]).toEqual([[0, 1, 2, 3, 4, 5], true]);
  });

  it('waits for pixels whose room reads as zeros, and without them stalls or ends without them', async () => {
    for (const end of ['written', 'declared', 'left']) {
      const { put, open, part, folder, index } = ndTiffFolder();
      put(0);
      for (const tile of [1, 2, 3, 4, 5]) put(tile, tile === 1 ? 0 : 7);
      const at = readIndex(index, readFileSync(index), 0)[1]!.offset;
      const live = open(end === 'left' ? {} : LONG)!;
      let ended = false;
      const came = await followed(live, () => {
        if (ended || end === 'left') return;
        ended = true;
        if (end === 'declared') writeFileSync(join(folder, '.done'), '');
        else writeFileSync(part, readFileSync(part).fill(9, at, at + 48));
      });
      expect(came, end).toEqual(end === 'written' ? [0, 2, 3, 4, 5, 1] : [0, 2, 3, 4, 5]);
      expect([live.state, live.tiles.missing]).toEqual(
        end === 'left' ? ['stalled', 0] : ['complete', end === 'declared' ? 1 : 0],
      );
    }
  });

  it('reads no place outside the grid', async () => {
    const { put, open } = ndTiffFolder();
    put(0, 1, { z: 4 });
    put(1, 2, { z: 4 });
    put(2, 3, { z: 4, row: 7 });
    put(2, 3, { z: 4, column: -1 });
    put(2, 3, { z: 4, column: 'two' });
    const live = open()!;
    expect(await followed(live)).toEqual([0, 1]);
    expect(live.state).toBe('stalled');
    expect(live.lacks).toMatch(/^a row and a column of 1 image; a place for images: 2 of 4 images lie outside/);
  });

  it('is another slide when a second plane comes, and waits for its end', async () => {
    const { put, open } = ndTiffFolder();
    put(0, 1, { z: 4 });
    const live = open(LONG)!;
    await followed(live, () => put(0, 99, { z: 5 }));
    expect([live.state, await live.closed]).toEqual(['replaced', true]);
    expect(open()).toBeUndefined();
  });

  it('that is finished without a tile in its place is never complete', async () => {
    for (const [axes, message] of [
      [{ row: undefined, position: 3 }, /no image has a row and a column/],
      [{ row: 9 }, /no image lies inside the size/],
    ] as const) {
      const { put, open, folder } = ndTiffFolder();
      const live = open(LONG)!;
      put(0, 1, axes);
      writeFileSync(join(folder, '.done'), '');
      const failure = await failureOf(() => followed(live));
      expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', expect.stringMatching(message)]);
    }
  });

  it('that is finished is refused when its rows and columns are counted from 1, and notes few images outside', async () => {
    const shifted = ndTiffFolder();
    for (const tile of upTo(6)) shifted.put(tile, tile, { row: Math.floor(tile / 3) + 1, column: (tile % 3) + 1 });
    writeFileSync(join(shifted.folder, '.done'), '');
    for (const read of [() => followed(shifted.open(LONG)!), () => openSlide(shifted.folder)])
      expect((await failureOf(read)).message).toContain('rows and columns seem to be counted from 1');
    const { put, open, folder } = ndTiffFolder();
    for (const tile of [0, 1, 2]) put(tile);
    put(0, 9, { column: 3 });
    writeFileSync(join(folder, '.done'), '');
    const live = open(LONG)!;
    await followed(live);
    const noted = [{ code: 'image-left-out', message: expect.stringContaining('1 of 4 images') }];
    expect([live.state, live.opened.info.notes]).toEqual(['complete', noted]);
    expect((await openSlide(folder)).info.notes).toMatchObject(noted);
  });

  it('counts a tile that is written again, and is another slide when its pixels are others', async () => {
    for (const grey of [1, 77]) {
      const { put, open, folder } = ndTiffFolder();
      put(0);
      const live = open(LONG)!;
      await followed(live, () => {
        put(0, grey);
        writeFileSync(join(folder, '.done'), '');
      });
      expect([live.state, live.tiles.overwritten]).toEqual([grey === 1 ? 'complete' : 'replaced', 1]);
      expect(await live.closed).toBe(grey !== 1);
    }
  });

  it('takes the later of two images that nobody has read yet', async () => {
    const { put, open } = ndTiffFolder();
    put(0, 1);
    put(0, 50);
    const live = open()!;
    expect(await followed(live)).toEqual([0]);
    expect([live.state, live.tiles.overwritten]).toEqual(['stalled', 1]);
    const source = await openTileSource(live.sourceFor(0));
    const rgb = new Uint8Array(48);
    await source.readTile(0, 0, 0, rgb);
    source.close();
    expect(new Set(rgb)).toEqual(new Set([50]));
  });

  it.each([
    ['has not stalled', true, 'complete'],
    ['stalls', false, 'stalled'],
  ])('%s where entries are held back and pixels come: %s', async (_, pixelsCome, state) => {
    const { put, entryOf, open, index, part } = ndTiffFolder();
    put(0);
    let now = 0;
    let asked = 0;
    const presence = {
      ...ALWAYS_THERE,
      now: () => {
        asked += 1;
        return now;
      },
    };
    const live = open({ stallSeconds: 10, presence })!;
    const following = followed(live);
    let isOver = false;
    void live.closed.then(() => {
      isOver = true;
    });
    const looks = async (): Promise<void> => {
      const before = asked;
      while (asked < before + 4 && live.state === 'growing') await new Promise(resolve => setTimeout(resolve, 1));
    };
    await looks();
    const held: Buffer[] = [];
    for (const tile of [1, 2, 3, 4, 5]) {
      const { pixels, entry } = entryOf(tile, tile + 1, {});
      held.push(entry);
      if (pixelsCome) appendFileSync(part, pixels);
      await looks();
      now += 6000;
      await looks();
    }
    if (pixelsCome) appendFileSync(index, Buffer.concat(held));
    expect(await following).toEqual(pixelsCome ? [0, 1, 2, 3, 4, 5] : [0]);
    expect([live.state, isOver]).toEqual([state, pixelsCome]);
  });

  it('asks to be opened again when it stalled and its index grows', async () => {
    const { put, open } = ndTiffFolder();
    put(3);
    const live = open()!;
    await followed(live);
    expect(live.state).toBe('stalled');
    put(4);
    expect(await live.closed).toBe(true);
  });

  it.each([
    ['deleted', 'gone', (index: string) => rmSync(index)],
    ['shortened', 'replaced', (index: string) => truncateSync(index, 10)],
    [
      'replaced by another file',
      'replaced',
      (index: string) => {
        writeFileSync(`${index}.new`, readFileSync(index));
        renameSync(`${index}.new`, index);
      },
    ],
  ] as const)('ends when its index is %s', async (_, state, act) => {
    const { put, open, index } = ndTiffFolder();
    put(0);
    const live = open(LONG)!;
    expect(sorted(await followed(live, () => act(index)))).toEqual([0]);
    expect([live.state, await live.closed]).toEqual([state, state === 'replaced']);
  });
});

describe('the summary of a growing NDTiff data set', () => {
  it('must say the size of the whole, or it is no slide yet', () => {
    const { TileWidth: _, TileHeight: __, ...camera } = SUMMARY;
    expect(ndTiffFolder(camera).open()).toBeUndefined();
  });

  it('must say the spacing, unless the user does', async () => {
    const { PixelSize_um: _, ...silent } = SUMMARY;
    const { open, index } = ndTiffFolder(silent);
    const error = await failureOf(() => open());
    expect([error.code, error.message]).toEqual(['SLIDE_NO_MPP', expect.stringContaining(index)]);
    expect(open({ mpp: 0.3 })!.opened.info.mpp).toBe(0.3);
    expect(ndTiffFolder().open({ mpp: 0.3 })!.opened.info.levels[0]!.mpp).toBe(0.3);
  });
});
