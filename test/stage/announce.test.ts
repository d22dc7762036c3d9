import { firstValueFrom, Subject, share } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Aggregate, SlideProgress } from '#src/event/payloads.js';
import { announce, publishAggregate, publishProgress } from '#src/stage/announce.js';
import type { SettledPatch } from '#src/stage/item.js';
import { busOf, type Session, SLIDE, sessionOf, settled } from './session-fixture.js';

const never = new AbortController().signal;
const records = SLIDE.patches.map(({ record }) => record);

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Settles a patch and lets it pass the announcements of a slide. */
async function passing(intervalSeconds: number, failure?: Error) {
  const { session, log } = await sessionOf();
  const { bus, decoded } = busOf(log, failure);
  const patches = new Subject<SettledPatch>();
  const announced = patches.pipe(announce(bus, intervalSeconds, never), share());
  announced.subscribe();
  const pass = async (index: number, of: Session = session): Promise<void> => {
    of.settle(records[index]!);
    const patch = settled(of, index);
    const passed = firstValueFrom(announced);
    patches.next(patch);
    expect(await passed).toBe(patch);
  };
  return { session, log, decoded, pass, patches };
}

describe('announce', () => {
  it('speaks once an interval, counted from the start of the slide and then from the last time', async () => {
    const { log, pass } = await passing(2);
    vi.advanceTimersByTime(2000);
    await pass(0);
    const once = ['update 2', 'published aggregate', 'published slide'];
    expect(log).toEqual(once);
    vi.advanceTimersByTime(2000);
    await pass(1);
    expect(log).toEqual([...once, 'update 3', 'published aggregate', 'published slide']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says what came within an interval at its end, also when nothing follows', async () => {
    const { log, pass, decoded } = await passing(2);
    vi.advanceTimersByTime(500);
    await pass(0);
    await pass(1);
    await vi.advanceTimersByTimeAsync(1499);
    expect(log).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const once = ['update 2', 'published aggregate', 'published slide'];
    expect(log).toEqual(once);
    expect(decoded()[0]).toMatchObject({ aggregate: { provisional: true, patches: { expected: 6, segmented: 2 } } });
    // There is nothing new to say.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual(once);
    // The interval is counted from the last time that it spoke, whoever asked.
    await pass(2);
    expect(log).toHaveLength(6);
    await pass(3);
    await vi.advanceTimersByTimeAsync(1999);
    expect(log).toHaveLength(6);
    await vi.advanceTimersByTimeAsync(1);
    expect(log).toHaveLength(9);
  });

  it('says nothing provisional after a slide has ended, or the stream of patches', async () => {
    const ended = await passing(2);
    await ended.pass(0);
    ended.session.endOfDue();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended.log).toEqual([]);
    // Its last patch leaves it before it passes here.
    const left = await passing(2);
    await left.pass(0);
    left.session.endOfDue();
    await left.session.drained;
    await left.pass(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(left.log).toEqual([]);
    const over = await passing(2);
    await over.pass(0);
    expect(vi.getTimerCount()).toBe(1);
    over.patches.complete();
    expect(vi.getTimerCount()).toBe(0);
    const whole = await passing(2);
    for (const index of records.keys()) await whole.pass(index);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(whole.log).toEqual([]);
  });

  it('fails a slide that it cannot speak of later', async () => {
    const { session, pass } = await passing(2, new Error('no server'));
    await pass(0);
    expect(session.failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2000);
    expect(session.failure).toMatchObject({ code: 'BUS_PUBLISH' });
  });

  it('leaves the last word to who finishes the slide', async () => {
    const { log, pass, session } = await passing(0);
    for (const index of records.keys()) await pass(index);
    expect(session.aggregate.complete).toBe(true);
    expect(log.filter(line => line === 'published aggregate')).toHaveLength(records.length - 1);
  });

  it('keeps slides apart', async () => {
    const { log, pass, session } = await passing(10);
    vi.advanceTimersByTime(10_000);
    const other = (await sessionOf()).session;
    await pass(0);
    expect(log).toHaveLength(3);
    await pass(0, other);
    expect([log.length, session.revision, other.revision]).toEqual([3, 2, 1]);
  });

  it('says nothing of a slide that has failed, and fails one that it cannot speak of', async () => {
    const { session, log, pass } = await passing(0);
    session.failure = new Error('full');
    await pass(0);
    expect(log).toEqual([]);
    const mute = await passing(0, new Error('no server'));
    await mute.pass(0);
    expect(mute.session.failure).toMatchObject({ code: 'BUS_PUBLISH', message: expect.stringContaining('no server') });
  });
});

describe('the progress of a slide', () => {
  const progressOf = async (session: Session): Promise<SlideProgress> => {
    const { bus, decoded } = busOf();
    await publishProgress(session, bus, never);
    const [aggregate, progress] = decoded();
    expect(aggregate).toMatchObject({ kind: 'aggregate', run: 'abc', aggregate: { provisional: true } });
    expect(progress).toMatchObject({ kind: 'slide', state: 'progress' });
    return (progress as { payload: SlideProgress }).payload;
  };

  it('counts what this start did: patches a second, and the seconds that are left at that', async () => {
    // Two of six are from an earlier start.
    const { session } = await sessionOf({}, records.slice(0, 2));
    vi.advanceTimersByTime(4000);
    session.settle(records[2]!);
    const { fraction, patchesPerSecond, etaSeconds, revision } = await progressOf(session);
    expect([fraction, patchesPerSecond, etaSeconds, revision]).toEqual([0.5, 0.25, 12, 2]);
  });

  it('knows no end while nothing was done', async () => {
    const { session } = await sessionOf({}, records.slice(0, 3));
    vi.advanceTimersByTime(1000);
    expect(await progressOf(session)).toMatchObject({ fraction: 0.5, patchesPerSecond: 0, etaSeconds: null });
  });
});

it('an aggregate’s revision is on record before anybody sees it', async () => {
  const { session, log, run } = await sessionOf();
  const aggregate: Aggregate = session.nextAggregate(true);
  const failing = busOf(log, new Error('no server')).bus;
  await expect(publishAggregate(session, aggregate, failing, never)).rejects.toThrow('no server');
  expect([log, run.state]).toEqual([['update 2'], { revision: 2, state: 'open' }]);
});
