import { beforeEach, describe, expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { RunningAggregate } from '#src/stage/aggregate.js';
import { SlideBook } from '#src/status/slide-book.js';
import type { SlideSummary } from '#src/store/summary.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads, TIME } from '../event/samples.js';

const events = createSampleEvents();
let book: SlideBook;
beforeEach(() => {
  book = new SlideBook();
});
const hear = (...list: BusEvent[]): void => {
  for (const event of list) book.hear(decodeEvent(event)!);
};
const opened = (cols = 5, rows = 4, slide = 'S22-0412_A1') =>
  events.slide('opened', { ...slidePayloads.opened, slide, grid: { ...slidePayloads.opened.grid, cols, rows } });
const at = (event: BusEvent, second: number): BusEvent => ({
  ...event,
  time: new Date(Date.parse(TIME) + second * 1000).toISOString(),
});

describe('the picture of a grid', () => {
  it('is kept up to four million patches and not beyond, whatever their shape', () => {
    hear(opened(2048, 2048));
    expect(book.grid('S22-0412_A1')?.cells).toHaveLength(1 << 22);
    hear(opened(2048, 2049));
    expect(book.grid('S22-0412_A1')).toBeUndefined();
    hear(events.mask(maskInput()));
    expect(book.list()).toHaveLength(1);
  });

  it.each([
    [0, 4096, 1],
    [1, 4096, 1],
    [2048, 4096, 127],
    [4096, 4096, 253],
    [5000, 4096, 253],
    [0, 0, 1],
  ])(
    '%i stroma of %i valid pixels are byte %i: a mask without stroma is not one that is missing',
    (stroma, valid, byte) => {
      hear(opened());
      const input = maskInput();
      hear(events.mask({ ...input, record: { ...input.record, stromaPixels: stroma, validPixels: valid } }));
      expect(book.grid('S22-0412_A1')?.cells[2 * 5 + 3]).toBe(byte);
    },
  );

  it('shows what earlier starts made of a slide that is open again', () => {
    hear(events.slide('opened', { ...slidePayloads.opened, resumed: true }));
    const [slide, { cols, rows, mpp }] = [slidePayloads.opened.slide, slidePayloads.opened.grid];
    const aggregate = new RunningAggregate({ cols, rows, mpp });
    const pixels = { level: 0, validPixels: 4096, tissuePixels: 4096, stromaPixels: 2048 };
    const resumed = [
      { ...pixels, col: 1, row: 0, outcome: 'segmented' as const },
      { ...pixels, col: 2, row: 0, outcome: 'empty' as const, tissuePixels: 0, stromaPixels: 0 },
    ];
    for (const record of resumed) aggregate.add(record);
    book.resume({ slide: { id: slide }, aggregate, resumed } as never);
    expect(book.list()[0]).toMatchObject({
      patches: { expected: cols * rows, segmented: 1, empty: 1 },
      area: { stromaFraction: 0.5 },
    });
    expect([...book.grid(slide)!.cells.subarray(0, 3)]).toEqual([0, 127, 0]);
  });

  it('tells patches that are missing or failed from those with a mask, and knows no others', () => {
    hear(opened());
    const slide = 'S22-0412_A1';
    book.mark({ slide, col: 1, row: 0 }, 'missing');
    book.mark({ slide, col: 2, row: 0 }, 'failed');
    book.mark({ slide, col: 5, row: 0 }, 'missing');
    book.mark({ slide: 'another', col: 0, row: 0 }, 'missing');
    expect([...book.grid(slide)!.cells.subarray(0, 6)]).toEqual([0, 255, 254, 0, 0, 0]);
    hear(events.mask(maskInput({ col: 1, row: 0 })));
    expect(book.grid(slide)!.cells[1]).toBeLessThan(254);
  });

  it('has its last patch in its last byte', () => {
    hear(opened(), events.mask(maskInput({ col: 4, row: 3 })));
    const cells = [...book.grid('S22-0412_A1')!.cells];
    expect(cells.findIndex(cell => cell > 0)).toBe(19);
  });
});

describe('a slide', () => {
  it('that is opened anew forgets its error, its end and its masks', () => {
    hear(opened(), events.mask(maskInput()), events.slide('incomplete', slidePayloads.incomplete), at(opened(), 60));
    expect(book.list()).toMatchObject([
      { state: 'open', error: null, endedAt: null, startedAt: at(opened(), 60).time, iou: null, tiles: null },
    ]);
    expect(book.grid('S22-0412_A1')!.cells.every(cell => cell === 0)).toBe(true);
  });

  it('that failed before it was opened is listed with what it failed with', () => {
    hear(events.slide('failed', slidePayloads.failed));
    expect(book.list()).toMatchObject([
      { state: 'failed', error: { code: 'SLIDE_NO_MPP' }, startedAt: TIME, endedAt: TIME, patches: { expected: 0 } },
    ]);
    expect(book.grid(slidePayloads.failed.slide)).toBeUndefined();
  });

  it('that nobody opened has no aggregate; one that ended keeps no rate', () => {
    hear(events.aggregate(aggregate, 'r'));
    expect(book.list()).toEqual([]);
    hear(opened(), events.slide('progress', { ...slidePayloads.progress, etaSeconds: 9 }));
    expect(book.list()).toMatchObject([{ patchesPerSecond: 21.3, etaSeconds: 9 }]);
    hear(events.slide('completed', slidePayloads.completed));
    expect(book.list()).toMatchObject([{ patchesPerSecond: 0, etaSeconds: null, state: 'completed' }]);
  });

  it('that grows shows its tiles, and none once an aggregate has none', () => {
    const tiles = { expected: 9, seen: 7, missing: 0, late: 2, overwritten: 1 };
    hear(opened(), events.aggregate({ ...aggregate, tiles }, 'r'));
    expect(book.list()).toMatchObject([{ tiles }]);
    hear(events.aggregate(aggregate, 'r'));
    expect(book.list()).toMatchObject([{ tiles: null }]);
  });
});

describe('the list', () => {
  it('has fifty ended slides at most, the newest, and every open one', () => {
    for (let n = 0; n < 70; n++) hear(opened(1, 1, `open-${n}`));
    for (let n = 0; n < 51; n++)
      hear(at(events.slide('failed', { ...slidePayloads.failed, slide: `ended-${n}` }), 1000 - n));
    const slides = book.list().map(({ slide }) => slide);
    expect(slides.slice(0, 70)).toEqual(Array.from({ length: 70 }, (_, n) => `open-${n}`));
    expect(slides.slice(70)).toEqual(Array.from({ length: 50 }, (_, n) => `ended-${n}`));
  });

  it('moves a slide that comes again to the end of the open ones', () => {
    hear(opened(1, 1, 'A'), opened(1, 1, 'B'), opened(1, 1, 'A'));
    expect(book.list().map(({ slide }) => slide)).toEqual(['B', 'A']);
  });

  it('gives nothing away that is not part of the report', () => {
    hear(opened());
    expect(book.list()[0]).not.toHaveProperty('grid');
  });
});

describe('a slide that an earlier start finished', () => {
  const { patches, area } = slidePayloads.completed;
  const summary = (slide: string, state: 'completed' | 'incomplete' | 'failed', updatedAt = TIME) =>
    ({ ...aggregate, slide, state, patches, area, updatedAt, timings: { seconds: 60 } }) as unknown as SlideSummary;

  it('is listed as it ended', () => {
    book.recall(summary('A', 'completed'));
    const startedAt = new Date(Date.parse(TIME) - 60_000).toISOString();
    expect(book.list()).toEqual([
      expect.objectContaining({ slide: 'A', state: 'completed', patches, area, startedAt, endedAt: TIME, error: null }),
    ]);
    expect(book.grid('A')).toBeUndefined();
  });

  it('says of an incomplete one that it is, and why as far as that is known', () => {
    book.recall(summary('A', 'incomplete'));
    book.recall({ ...summary('B', 'incomplete'), patches: { ...patches, segmented: 0, empty: 0 } });
    expect(book.list().map(({ error }) => [error?.code, error?.message])).toEqual([
      ['SLIDE_INCOMPLETE', 'tiles-missing'],
      ['SLIDE_INCOMPLETE', 'patches-failed'],
    ]);
  });

  it('is what was heard of it since, if anything', () => {
    hear(events.slide('opened', { ...slidePayloads.opened, slide: 'A' }));
    book.recall(summary('A', 'completed'));
    book.recall(summary('B', 'failed'));
    expect(book.list().map(({ slide, state }) => [slide, state])).toEqual([['A', 'open']]);
  });
});
