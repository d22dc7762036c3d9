import { beforeEach, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent, EventBus } from '#src/event/bus.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { StatusBoard } from '#src/status/board.js';
import { observeBus } from '#src/status/observe-bus.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads, TIME } from '../event/samples.js';
import { engine } from './exercise.js';

const events = createSampleEvents();
const clock = {
  seconds: 0,
  now: () => new Date(Date.parse(TIME) + clock.seconds * 1000),
  monotonic: () => clock.seconds,
};
const id = aggregate.slide;

let raw: EventBus;
let bus: EventBus;
let board: StatusBoard;
beforeEach(() => {
  clock.seconds = 0;
  raw = createMemoryBus();
  board = new StatusBoard({ version: '1.2.3', bus: raw, engine, clock });
  bus = observeBus(raw, [board.busObserver]);
});
const publish = async (...list: BusEvent[]) => {
  for (const event of list) await bus.publish(event);
};

describe('StatusBoard', () => {
  it('starts empty and says what runs', () => {
    clock.seconds = 5;
    const report = board.report();
    expect(report).toMatchObject({
      version: '1.2.3',
      startedAt: TIME,
      uptimeSeconds: 5,
      state: 'running',
      engine: { name: 'onnxruntime', device: 'cpu', model: 'starter', batch: 4 },
      bus: { description: 'in process', connected: true },
      rates: { patchesPerSecond: 0, patchesDone: 0, masksPublished: 0 },
      slides: [],
      lastError: null,
    });
    expect(report.stages.map(({ stage }) => stage)).toEqual(['read', 'batch', 'segment', 'publish', 'store']);
    expect(new StatusBoard({ version: '1', bus: raw }).report().engine).toBeNull();
  });

  it('tallies the stages and the patches', () => {
    const { observer } = board;
    for (let patch = 0; patch < 30; patch++) {
      clock.seconds += 0.5;
      observer.entered('read');
      observer.entered('segment');
      observer.left('read', 'ok', 0.1);
      observer.acknowledged(1);
    }
    observer.left('segment', 'failed', 0.1);
    observer.credits(3, 8, 0);
    const { stages, rates, credits } = board.report();
    expect(stages.find(({ stage }) => stage === 'read')).toMatchObject({
      inProgress: 0,
      done: 30,
      failed: 0,
      lastSuccessAt: clock.now().toISOString(),
    });
    expect(stages.find(({ stage }) => stage === 'segment')).toMatchObject({ inProgress: 29, done: 0, failed: 1 });
    expect(rates.patchesDone).toBe(30);
    expect(rates.patchesPerSecond).toBeCloseTo(2, 0);
    expect(credits).toEqual({ free: 3, total: 8 });
  });

  it('follows a slide from opening to completion', async () => {
    await publish(events.slide('opened', slidePayloads.opened));
    expect(board.report().slides).toMatchObject([
      { slide: id, state: 'open', patches: { expected: 20, segmented: 0 }, endedAt: null, startedAt: TIME },
    ]);
    await publish(
      events.mask(maskInput()),
      events.aggregate(aggregate, 'r'),
      events.slide('progress', { ...slidePayloads.progress, etaSeconds: 12 }),
    );
    expect(board.report().slides[0]).toMatchObject({
      revision: 7,
      patches: aggregate.patches,
      area: aggregate.area,
      iou: aggregate.iou,
      patchesPerSecond: 21.3,
      etaSeconds: 12,
    });
    expect(board.report().rates.masksPublished).toBe(1);
    await publish(events.slide('completed', slidePayloads.completed));
    expect(board.report().slides[0]).toMatchObject({
      state: 'completed',
      endedAt: TIME,
      etaSeconds: null,
      error: null,
    });
  });

  it('shows the share of stroma of each patch on the slide’s grid', async () => {
    await publish(events.slide('opened', slidePayloads.opened), events.mask(maskInput()));
    const grid = board.grid(id);
    expect(grid).toMatchObject({ cols: 5, rows: 4 });
    const cells = new Array(20).fill(0);
    cells[2 * 5 + 3] = 1 + Math.round((1024 / 3200) * 252);
    expect([...(grid?.cells ?? [])]).toEqual(cells);
    await publish(
      events.mask(maskInput({ col: 5 })),
      events.mask(maskInput({ row: 4 })),
      events.mask(maskInput({ slide: 'x' })),
    );
    expect([...(grid?.cells ?? [])]).toEqual(cells);
    expect(board.grid('x')).toBeUndefined();
  });

  it('keeps what an earlier start had done when a slide is resumed, and starts over when it is not', async () => {
    await publish(events.slide('opened', slidePayloads.opened), events.aggregate(aggregate, 'r'));
    await publish(events.slide('opened', { ...slidePayloads.opened, resumed: true }));
    expect(board.report().slides[0]).toMatchObject({ patches: aggregate.patches, area: aggregate.area });
    await publish(events.slide('opened', slidePayloads.opened));
    expect(board.report().slides).toMatchObject([{ patches: { segmented: 0 }, area: { stromaMm2: 0 } }]);
  });

  it('lists open slides first, then ended ones, the last one first, and forgets old ones', async () => {
    const opened = (slide: string) => events.slide('opened', { ...slidePayloads.opened, slide });
    const late = createSampleEvents();
    for (let n = 0; n < 60; n++) {
      const slide = `done-${n}`;
      await publish(opened(slide), {
        ...late.slide('completed', { ...slidePayloads.completed, slide }),
        time: new Date(Date.parse(TIME) + n * 1000).toISOString(),
      });
    }
    await publish(opened('a'), opened('b'));
    const slides = board.report().slides.map(({ slide }) => slide);
    expect(slides.slice(0, 4)).toEqual(['a', 'b', 'done-59', 'done-58']);
    expect(slides).toHaveLength(52);
    expect(slides).not.toContain('done-0');
  });

  it('remembers the newest error, whoever met it', async () => {
    await publish(events.slide('failed', slidePayloads.failed));
    expect(board.report()).toMatchObject({
      lastError: { code: 'SLIDE_NO_MPP', at: TIME },
      slides: [{ state: 'failed', error: slidePayloads.failed.error }],
    });
    await publish(events.dlq(deadLetter));
    expect(board.report().lastError).toMatchObject({ code: 'TILE_CORRUPT' });
    await publish(events.slide('incomplete', slidePayloads.incomplete));
    expect(board.report().slides[0]).toMatchObject({ state: 'incomplete', error: { message: 'stalled' } });
    board.fail(new StromaflowError('OUTPUT_FULL', 'disk'));
    expect(board.report().lastError).toMatchObject({ code: 'OUTPUT_FULL', message: 'disk', fix: expect.any(String) });
    await raw.close();
    await expect(bus.publish(events.mask(maskInput()))).rejects.toThrow();
    expect(board.report()).toMatchObject({ lastError: { code: 'BUS_PUBLISH' }, bus: { connected: false } });
  });

  it('says that it drains', () => {
    expect(board.draining).toBe(false);
    board.drain();
    expect(board.draining).toBe(true);
    expect(board.report().state).toBe('draining');
  });
});
