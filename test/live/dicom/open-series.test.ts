import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../../slide/fixture.js';
import { encodeJpeg, type Picture } from '../../slide/tiff-writer.js';
import { concatenation, follow, GrowingFolder, half, instance } from './growing-folder.js';

const isLive = (opened: unknown): boolean => typeof opened === 'object' && opened !== null && 'follow' in opened;

describe('a DICOM slide of a watched folder', () => {
  it('is opened as a whole one when all that is announced is there and nothing changes', async () => {
    const folder = new GrowingFolder();
    for (const [index, part] of concatenation([6, 6]).entries()) folder.put(`${index}.dcm`, part);
    expect((await failureOf(() => folder.open())).message).toMatch(/may still be written/);
    const opened = await folder.open({ quiet: 1 });
    expect(isLive(opened)).toBe(false);
    expect(opened).toMatchObject({ info: { id: 'slide', path: folder.path, mpp: 0.25 }, source: { kind: 'dicom' } });
  });

  it.each([
    ['is marked as done', () => ({}), true],
    ['stood still', () => ({ quiet: 9 }), false],
  ])('that %s is not waited for', async (_, facts, marked) => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', instance('1'));
    if (marked) writeFileSync(join(folder.path, '.done'), '');
    expect(await folder.open(facts())).toMatchObject({ source: { kind: 'dicom' } });
  });

  it('whose frames are of a kind that nobody reads is refused once, when it is whole', async () => {
    const folder = new GrowingFolder();
    const deep = (tile: Picture): Buffer => {
      const frame = encodeJpeg(tile);
      frame[frame.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
      return frame;
    };
    folder.put('a.dcm', instance('1', { syntax: 'jpeg', encode: deep }));
    const failure = await failureOf(() => folder.open({ quiet: 1 }));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNSUPPORTED',
      expect.stringContaining('of level 0 has 12-bit samples, and so do the others'),
    ]);
  });

  it('is not opened before one of its files is whole, and says what is wrong with them', async () => {
    const folder = new GrowingFolder();
    const [first] = concatenation([6, 6]);
    folder.put('a.dcm', first!.subarray(0, first!.length - 100));
    const failure = await failureOf(() => folder.open({ quiet: 1 }));
    expect([failure.code, failure.message]).toEqual(['SLIDE_TRUNCATED', expect.stringContaining('a.dcm')]);
  });

  it.each([
    ['nothing came', () => undefined, false],
    ['a finer level came', (folder: GrowingFolder) => void folder.put('base.dcm', instance('1')), true],
    ['a coarser one came', (folder: GrowingFolder) => void folder.put('half.dcm', half('3')), true],
  ])('that was whole is opened again for what came while it was segmented: %s', async (_, act, again) => {
    const folder = new GrowingFolder();
    folder.put('reduced.dcm', half('2', { resampled: false }));
    const opened = await folder.openCandidate({ quiet: 1, spacing: 0.5 });
    if (!opened || !('value' in opened) || 'follow' in opened.value) throw new Error('not opened as a whole one');
    act(folder);
    // The watcher sees it, and takes it for something that whoever works on the slide sees, too.
    folder.notice();
    opened.value.close();
    expect(await opened.until).toBe(again);
  });

  it('is not opened again for levels that come behind the one that is wanted', async () => {
    const folder = new GrowingFolder();
    const [first, second] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    const live = await folder.openLive();
    await follow(live, () => void folder.put('b.dcm', second!));
    expect(live.state).toBe('complete');
    folder.put('half.dcm', half('3'));
    expect(await folder.open({ quiet: 1 })).toBeUndefined();
    // Another spacing makes another plan.
    expect(await folder.open({ quiet: 1, spacing: 0.5 })).toMatchObject({ source: { kind: 'dicom' } });
    const [other] = concatenation([6, 6], {
      places: [[3, 2], ...Array.from({ length: 11 }, (_, i) => [i % 4, Math.floor(i / 4)] as const)],
    });
    folder.put('a.dcm', other!);
    expect(await folder.open({ quiet: 1 })).toMatchObject({ source: { kind: 'dicom' } });
  });
});

describe('the level that is planned', () => {
  it('is known by its header, before it is whole', async () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', instance('1'));
    const bytes = half('2');
    folder.put('half.dcm', bytes.subarray(0, bytes.length - 200));
    const live = await folder.openLive({ spacing: 0.5 });
    expect(live.opened.info.levels).toMatchObject([{ mpp: 0.25 }, { mpp: 0.5, downsample: 2 }]);
    const came = await follow(live, () => undefined, 1).then(tiles => tiles.flat());
    expect([came, live.state]).toEqual([[], 'stalled']);
    folder.put('half.dcm', bytes);
    expect(await live.closed).toBe(true);
    const again = await folder.openLive({ spacing: 0.5 });
    expect((await follow(again, () => undefined, 1)).flat()).toEqual([0, 1, 2, 3]);
    expect(again.state).toBe('complete');
  });

  it('is waited for with its finer ones when it says that it was reduced from one', async () => {
    const folder = new GrowingFolder();
    folder.put('half.dcm', half('2'));
    expect(await folder.open({ spacing: 0.5, quiet: 1, stallSeconds: 9 })).toBe('later');
    const [first] = concatenation([6, 6]);
    folder.put('a.dcm', first!);
    const live = await folder.openLive({ spacing: 0.5 });
    expect(live.opened.info.levels).toHaveLength(2);
    expect((await follow(live, () => undefined, 1)).flat()).toEqual([0, 1, 2, 3]);
    expect(live.state).toBe('complete');
  });

  it('stands alone when nothing finer ever comes', async () => {
    const folder = new GrowingFolder();
    folder.put('half.dcm', half('2'));
    expect(await folder.open({ spacing: 0.5, quiet: 9 })).toMatchObject({ info: { mpp: 0.5 } });
  });

  it('of a slide that hid its finest one is another slide when that comes', async () => {
    const folder = new GrowingFolder();
    const parts = concatenation([6, 6]);
    const coarse = half('2', { resampled: false, concatenation: { part: 1, parts: 2, before: 0 }, extra: [] });
    folder.put('half.dcm', coarse);
    const live = await folder.openLive({ spacing: 0.5, stallSeconds: 60 });
    await follow(live, () => void folder.put('a.dcm', parts[0]!));
    expect(live.state).toBe('replaced');
    expect((await folder.openLive({ spacing: 0.5 })).opened.info.levels).toHaveLength(2);
  });

  it('must be fine enough', async () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', concatenation([6, 6])[0]!);
    expect((await failureOf(() => folder.open({ spacing: 0.1 }))).code).toBe('SLIDE_SPACING');
    expect((await failureOf(() => folder.open({ mpp: -1 }))).code).toBe('CONFIG_INVALID');
  });
});

describe('several series in one folder', () => {
  it('are a slide each: the first is called by the folder, and keeps that name', async () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', instance('1'));
    expect(folder.notice()).toEqual(new Set([folder.path]));
    folder.put('b.dcm', instance('2', { series: '9.9' }));
    const slides = [...folder.notice()];
    expect(slides).toEqual([folder.path, expect.stringMatching(/\/series-[0-9a-f]{8}$/)]);
    const second = folder.index.find(slides[1]!)!;
    expect(second.folder).toBe(folder.path);
    await second.look();
    expect([...second.files.keys()]).toEqual(['b.dcm']);
    rmSync(join(folder.path, 'a.dcm'));
    expect(folder.notice()).toEqual(new Set([slides[1]]));
    folder.put('c.dcm', instance('3', { series: '9.10' }));
    expect(folder.notice()).toEqual(new Set([slides[1], folder.path]));
  });

  it('and what is no slide is part of none', () => {
    const folder = new GrowingFolder();
    folder.put('a.dcm', instance('1', { flavour: 'LABEL' }));
    folder.put('b.dcm', instance('1', { sopClass: '1.2.840.10008.5.1.4.1.1.2' }));
    expect(folder.notice()).toEqual(new Set([null]));
    folder.put('c.dcm', Buffer.alloc(5000));
    folder.put('d.dcm', Buffer.from('text'));
    folder.put('e.dcm', instance('1', { transferSyntax: '1.2.840.10008.1.2.2' }));
    folder.put('f.dcm', instance('1', { transferSyntax: '1.2.840.10008.1.2.4.203', flavour: 'THUMBNAIL' }));
    expect(folder.notice()).toEqual(new Set([null, undefined]));
    folder.put('c.dcm', instance('1'));
    expect(folder.notice()).toEqual(new Set([null, undefined, folder.path]));
  });
});
