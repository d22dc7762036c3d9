import { appendFileSync, existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InstanceFile } from '#src/live/dicom/instance-file.js';
import { growthOf } from '#src/live/growth-of.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { ALWAYS_THERE, type Presence } from '#src/watch/presence.js';
import { failureOf } from '../../slide/fixture.js';
import { gradient } from '../../slide/tiff-writer.js';
import { concatenation, follow, GrowingFolder, instance, TILES } from './growing-folder.js';

const { look } = InstanceFile.prototype;
afterEach(() => {
  vi.restoreAllMocks();
});

const ALL = Array.from({ length: TILES }, (_, tile) => tile);
const sorted = (came: readonly (readonly number[])[]) => came.flat().toSorted((a, b) => a - b);
/** Places row by row from the last to the first, each said by its frame. */
const BACKWARDS = { organisation: 'TILED_SPARSE', places: ALL.map(i => [i % 4, Math.floor(i / 4)] as const).reverse() };

describe('a concatenation', () => {
  it('opens with its first whole part, and gives out the frames of each part when that is there', async () => {
    const folder = new GrowingFolder();
    const [first, second, third] = concatenation([5, 4, 3]);
    folder.put('b.dcm', second!);
    const live = await folder.openLive();
    expect(live.opened.info).toMatchObject({ format: 'DICOM whole slide', mpp: 0.25, levels: [{ width: 100 }] });
    const later = [() => folder.put('c.dcm', third!), () => folder.put('a.dcm', first!)];
    const came = await follow(live, () => later.shift()?.());
    expect(came).toEqual([
      [5, 6, 7, 8],
      [9, 10, 11],
      [0, 1, 2, 3, 4],
    ]);
    expect([live.state, live.tiles]).toEqual(['complete', { expected: 12, seen: 12, missing: 0, overwritten: 0 }]);
  });

  it('shows reader threads that were open before the parts that came since', async () => {
    const folder = new GrowingFolder();
    const parts = concatenation([6, 6]);
    folder.put('a.dcm', parts[0]!);
    const live = await folder.openLive();
    const source = await openTileSource(structuredClone(live.sourceFor(0)));
    const tile = Buffer.alloc(32 * 24 * 3);
    await follow(live, () => {
      if (!existsSync(join(folder.path, 'b.dcm'))) {
        expect(source.readTile(0, 3, 2, tile)).toBe('missing');
        folder.put('b.dcm', parts[1]!);
      }
    });
    const finished = await openTileSource((await openSlide(folder.path)).source);
    const wanted = Buffer.alloc(tile.length);
    for (const tileNumber of ALL) {
      const place = [tileNumber % 4, Math.floor(tileNumber / 4)] as const;
      expect(source.readTile(0, ...place, tile)).toBe('decoded');
      finished.readTile(0, ...place, wanted);
      expect(tile.equals(wanted), `tile ${tileNumber}`).toBe(true);
    }
    source.close();
    finished.close();
  });

  it('has one identity and one content, growing and finished', async () => {
    const folder = new GrowingFolder();
    const [first, second] = concatenation([6, 6], BACKWARDS);
    folder.put('b.dcm', second!);
    const live = await folder.openLive();
    const before = live.growth.content(0);
    await follow(live, () => void folder.put('a.dcm', first!));
    const finished = growthOf(await openSlide(folder.path))!;
    expect(finished.identity).toBe(live.growth.identity);
    expect(finished.content(0)).toBe(live.growth.content(0));
    expect(before).not.toBe(live.growth.content(0));
  });

  it('stalls while a part is missing, keeps what came, and asks to be opened again when it comes', async () => {
    const folder = new GrowingFolder();
    const [first, second] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    const live = await folder.openLive();
    expect(sorted(await follow(live))).toEqual([0, 1, 2, 3, 4, 5]);
    expect([live.state, live.tiles]).toEqual(['stalled', { expected: 12, seen: 6, missing: 0, overwritten: 0 }]);
    folder.put('b.dcm', second!);
    expect(await live.closed).toBe(true);
    // What came since is counted as late, so it is followed once more.
    const again = await folder.openLive({ quiet: 1 });
    expect(again.growth.identity).toBe(live.growth.identity);
    expect(sorted(await follow(again))).toEqual(ALL);
    expect(again.state).toBe('complete');
  });

  it('is complete without its missing part when a marker says so', async () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', concatenation([6, 6])[0]!);
    writeFileSync(join(folder.path, '.done'), '');
    const live = await folder.openLive();
    await follow(live);
    expect([live.state, live.tiles]).toEqual(['complete', { expected: 12, seen: 6, missing: 6, overwritten: 0 }]);
  });

  it('with glass left out is complete when its parts are, whatever the grid lacks', async () => {
    const folder = new GrowingFolder();
    const places = BACKWARDS.places.filter(([col]) => col !== 2);
    const [first, second] = concatenation([5, 4], { ...BACKWARDS, places });
    folder.put('a.dcm', first!);
    const live = await folder.openLive();
    expect(live.tiles.expected).toBe(12);
    const came = await follow(live, () => void folder.put('b.dcm', second!));
    expect(sorted(came)).toEqual(ALL.filter(tile => tile % 4 !== 2));
    expect([live.state, live.tiles]).toEqual(['complete', { expected: 9, seen: 9, missing: 0, overwritten: 0 }]);
  });

  it('that does not say how many parts it has is complete when the grid is full, or nothing comes', async () => {
    const unknown = { concatenation: { parts: 0 } as never };
    const full = new GrowingFolder();
    const parts = concatenation([6, 6], unknown);
    full.put('a.dcm', parts[0]!);
    const live = await full.openLive({ stallSeconds: 60 });
    await follow(live, () => void full.put('b.dcm', parts[1]!));
    expect([live.state, live.tiles.seen]).toEqual(['complete', 12]);
    const short = new GrowingFolder();
    short.put('a.dcm', parts[0]!);
    const stopped = await short.openLive({ stallSeconds: 60 });
    await follow(stopped);
    expect([stopped.state, stopped.tiles]).toEqual(['complete', { expected: 12, seen: 6, missing: 6, overwritten: 0 }]);
  });
});

describe('a file that was read', () => {
  const begin = async () => {
    const folder = new GrowingFolder();
    const parts = concatenation([4, 4, 4]);
    folder.put('a.dcm', parts[0]!);
    return { folder, parts, live: await folder.openLive({ stallSeconds: 60 }) };
  };

  it('and is written again with the same frames changes nothing', async () => {
    const { folder, parts, live } = await begin();
    const steps = [
      async () => {
        folder.put('a.dcm', parts[0]!);
        while (live.tiles.overwritten === 0) await sleep(5);
        folder.put('b.dcm', parts[1]!);
      },
      () => folder.put('c.dcm', parts[2]!),
    ];
    // The first step waits for what only further looks can find.
    const came = await follow(live, () => void steps.shift()?.());
    expect(sorted(came)).toEqual(ALL);
    expect([live.state, live.tiles.overwritten]).toEqual(['complete', 4]);
  });

  it('and is replaced by another instance is another slide', async () => {
    const { folder, live } = await begin();
    const [other] = concatenation([4, 4, 4], { picture: gradient(100, 70, 3) });
    other!.set(other!.subarray(-300, -200), other!.length - 900);
    await follow(live, () => void folder.put('a.dcm', other!));
    expect(live.state).toBe('replaced');
    expect(await live.closed).toBe(true);
  });

  it('and is replaced with all others in one look is another slide, though they do not fit what was read', async () => {
    const { folder, live } = await begin();
    const others = concatenation([2, 5, 5]);
    await follow(live, () => {
      for (const [index, other] of others.entries()) folder.put(`${'abc'[index]}.dcm`, other);
    });
    expect([live.state, await live.closed]).toEqual(['replaced', true]);
  });

  it('and is being written anew lets those wait that do not fit it', async () => {
    const { folder, live } = await begin();
    const [first, second, third] = concatenation([2, 5, 5]);
    const path = join(folder.path, 'a.dcm');
    await follow(live, async () => {
      writeFileSync(path, first!.subarray(0, first!.length - 500));
      folder.put('b.dcm', second!);
      folder.put('c.dcm', third!);
      const { files } = folder.index.find(folder.path)!;
      while (!(files.get('b.dcm')?.isReady && files.get('c.dcm')?.isReady)) await sleep(5);
      await sleep(50);
      expect(live.state).toBe('growing');
      appendFileSync(path, first!.subarray(first!.length - 500));
    });
    expect([live.state, await live.closed]).toEqual(['replaced', true]);
  });

  it('and becomes part of another series is another slide', async () => {
    const { folder, live } = await begin();
    await follow(live, () => void folder.put('a.dcm', instance('9', { series: '9.9' })));
    expect(live.state).toBe('replaced');
  });

  it('and is deleted ends the slide', async () => {
    const { folder, live } = await begin();
    await follow(live, () => rmSync(join(folder.path, 'a.dcm')));
    expect(live.state).toBe('gone');
    expect(await live.closed).toBe(false);
  });

  it('goes with its folder', async () => {
    const { folder, live } = await begin();
    await follow(live, () => rmSync(folder.path, { recursive: true }));
    expect(live.state).toBe('gone');
  });
});

describe('what a look found', () => {
  const begin = async (more: Parameters<GrowingFolder['open']>[0]) => {
    const folder = new GrowingFolder();
    const parts = concatenation([6, 6]);
    folder.put('a.dcm', parts[0]!);
    const live = await folder.openLive({ stallSeconds: 60, ...more });
    return { live, later: () => folder.put('b.dcm', parts[1]!), files: folder.index.find(folder.path)! };
  };

  it('is taken by the next one when the folder went away right behind it', async () => {
    let blinks = 0;
    let isWhole = (): boolean => false;
    const presence: Presence = {
      ...ALWAYS_THERE,
      // At the very moment at which the second part is known to be whole, and not taken.
      isAway: () => isWhole() && blinks++ === 0,
    };
    const { live, later, files } = await begin({ presence });
    isWhole = () => files.files.get('b.dcm')?.isReady === true;
    expect(sorted(await follow(live, () => void later()))).toEqual(ALL);
    expect(blinks).toBeGreaterThan(1);
    expect(live.state).toBe('complete');
  });

  it('is taken by the next one when that look failed behind it', async () => {
    const { live, later, files } = await begin({});
    let failures = 0;
    const came = await follow(live, () => {
      if (failures > 0) return;
      later();
      // A share that answers with an error once, for a file that is looked at behind the second part.
      vi.spyOn(InstanceFile.prototype, 'look').mockImplementation(async function (this: InstanceFile, now) {
        const isBehind = this.path.endsWith('a.dcm') && files.files.get('b.dcm')?.isReady;
        if (isBehind && failures++ === 0) throw Object.assign(new Error('EIO'), { syscall: 'read' });
        return look.call(this, now);
      });
    });
    expect(sorted(came)).toEqual(ALL);
    expect(failures).toBeGreaterThan(1);
  });
});

describe('a slide that is complete', () => {
  it('is looked at again when a file of it was written in place before it was closed', async () => {
    const folder = new GrowingFolder();
    const [first] = concatenation([6, 6]);
    const path = folder.put('a.dcm', first!);
    writeFileSync(join(folder.path, '.done'), '');
    for (const change of [false, true]) {
      const live = await folder.openLive();
      for await (const _ of live.follow(0, new AbortController().signal));
      expect(live.state).toBe('complete');
      if (change) appendFileSync(path, Buffer.alloc(2));
      await live.close();
      expect(await live.closed).toBe(change);
      folder.index.find(folder.path)!.followed = undefined;
    }
  });
});

describe('frames of one place', () => {
  it('are the same tile written twice, or further planes, of which the first counts', async () => {
    const folder = new GrowingFolder();
    const places = [...BACKWARDS.places, ...BACKWARDS.places.slice(0, 3)];
    const [first, second] = concatenation([10, 5], { ...BACKWARDS, places });
    folder.put('a.dcm', first!);
    const live = await folder.openLive();
    const came = await follow(live, () => void folder.put('b.dcm', second!));
    expect(sorted(came)).toEqual(ALL);
    expect([live.state, live.tiles.overwritten]).toEqual(['complete', 3]);
  });

  it('that differ make another slide when the earlier part comes last', async () => {
    const folder = new GrowingFolder();
    const upper = concatenation([6, 6], {
      ...BACKWARDS,
      places: [...BACKWARDS.places.slice(0, 6), ...BACKWARDS.places.slice(0, 6)],
    });
    const negative = { ...gradient(100, 70), data: gradient(100, 70).data.map(value => 255 - value) };
    const lower = concatenation([6, 6], { ...BACKWARDS, picture: negative });
    folder.put('b.dcm', upper[1]!);
    const live = await folder.openLive();
    await follow(live, () => void folder.put('a.dcm', lower[0]!));
    expect(live.state).toBe('replaced');
  });
});

describe('what does not fit', () => {
  it('fails the slide with a code', async () => {
    const folder = new GrowingFolder();
    const [first] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    const live = await folder.openLive();
    const [, grey] = concatenation([6, 6], { picture: gradient(100, 70, 1) });
    const failure = await failureOf(() => follow(live, () => void folder.put('b.dcm', grey!)));
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining('b.dcm')]);
  });

  it('of other series, labels and other objects is never taken', async () => {
    const folder = new GrowingFolder();
    const [first, second] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    folder.put('label.dcm', instance('5', { flavour: 'LABEL' }));
    folder.put('overview.dcm', instance('6', { flavour: 'OVERVIEW' }));
    folder.put('report.dcm', instance('7', { sopClass: '1.2.840.10008.5.1.4.1.1.88.33' }));
    folder.put('note.dcm', Buffer.from('no DICOM at all'));
    folder.put('other.dcm', instance('8', { series: '9.9' }));
    const live = await folder.openLive();
    const came = await follow(live, () => void folder.put('b.dcm', second!));
    expect(sorted(came)).toEqual(ALL);
    expect(live.state).toBe('complete');
  });
});

describe('what leaves the reader', () => {
  it('holds no patient attribute, UID or free text', async () => {
    const folder = new GrowingFolder();
    const extra = [
      [0x0010_0010, 'LO', 'Secret^Patient'],
      [0x0008_0080, 'LO', 'Secret Hospital'],
      [TAG.manufacturerModelName, 'LO', 'Secret: free text, no scanner'],
    ] as const;
    folder.put('a.dcm', concatenation([6, 6], { extra, series: '1.2.840.4711' })[0]!);
    const live = await folder.openLive();
    await follow(live);
    const all = JSON.stringify([live.opened, live.sourceFor(0), live.growth.identity], (_, value) =>
      ArrayBuffer.isView(value)
        ? Buffer.from(value.buffer as ArrayBuffer)
            .toString('latin1')
            .replaceAll('\0', '')
        : value,
    );
    expect(all).toContain('a.dcm');
    expect(all).not.toMatch(/secret|4711/i);
  });
});

describe('a file of which nothing changed', () => {
  it('is not parsed again', async () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', concatenation([6, 6])[0]!);
    const live = await folder.openLive();
    const file = folder.index.find(folder.path)!.files.get('a.dcm')!;
    const { header } = file;
    expect(header).toBeDefined();
    await follow(live);
    expect(file.header).toBe(header);
    utimesSync(join(folder.path, 'a.dcm'), 1, 1);
    await folder.index.find(folder.path)!.look(true);
    expect(file.header).not.toBe(header);
  });

  it('but a torn one is, when it grew to its end', async () => {
    const folder = new GrowingFolder();
    const [first, second] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    const path = folder.put('b.dcm', second!.subarray(0, second!.length - 500));
    const live = await folder.openLive({ stallSeconds: 60 });
    const came = await follow(live, () => appendFileSync(path, second!.subarray(second!.length - 500)));
    expect(sorted(came)).toEqual(ALL);
  });
});
