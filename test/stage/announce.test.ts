import { firstValueFrom, of } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Aggregate, SlideProgress } from '#src/event/payloads.js';
import { announce, publishAggregate, publishProgress } from '#src/stage/announce.js';
import { busOf, type Session, SLIDE, sessionOf, settled } from './session-fixture.js';

const never = new AbortController().signal;
const records = SLIDE.patches.map(({ record }) => record);

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** Settles a patch and lets it pass the announcements of a slide. */
async function passing(intervalSeconds: number, failure?: Error) {
  const { session, log } = await sessionOf();
  const { bus, decoded } = busOf(log, failure);
  const stage = announce(bus, intervalSeconds, never);
  const pass = async (index: number, of_: Session = session): Promise<void> => {
    of_.settle(records[index]!);
    const patch = settled(of_, index);
    expect(await firstValueFrom(of(patch).pipe(stage))).toBe(patch);
  };
  return { session, log, decoded, pass };
}

describe('announce', () => {
  it('speaks once an interval, counted from the start of the slide and then from the last time', async () => {
    const { log, pass } = await passing(2);
    await pass(0);
    vi.advanceTimersByTime(1999);
    await pass(1);
    expect(log).toEqual([]);
    vi.advanceTimersByTime(1);
    await pass(2);
    const once = ['update 2', 'published aggregate', 'published slide'];
    expect(log).toEqual(once);
    vi.advanceTimersByTime(1999);
    await pass(3);
    expect(log).toEqual(once);
    vi.advanceTimersByTime(1);
    await pass(4);
    expect(log).toEqual([...once, 'update 3', 'published aggregate', 'published slide']);
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
