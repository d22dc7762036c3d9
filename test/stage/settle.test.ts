import { firstValueFrom, from, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { decodeMaskPng } from '#src/mask/png.js';
import { acknowledge } from '#src/stage/acknowledge.js';
import { CreditPool } from '#src/stage/credit.js';
import type { SettledPatch } from '#src/stage/item.js';
import { publish } from '#src/stage/publish.js';
import { store } from '#src/stage/store.js';
import { RecordingObserver } from '../support/observer.js';
import { busOf, SLIDE, sessionOf, settled } from './session-fixture.js';

const never = new AbortController().signal;
const masked = SLIDE.patches.findIndex(({ mask }) => mask);

/** The end of the graph, its slots all out. */
async function endOf(more: Parameters<typeof sessionOf>[0] = {}, busFailure?: Error) {
  const { session, log, run } = await sessionOf(more);
  const observer = new RecordingObserver();
  const credits = new CreditPool(6);
  for (let slot = 0; slot < 6; slot++) await credits.acquire(never);
  const { bus, decoded } = busOf(log, busFailure);
  const end = (patches: readonly SettledPatch[]) => {
    const stages = [store(observer), publish(bus, observer, never), acknowledge(credits, observer)] as const;
    return lastValueFrom(from(patches).pipe(...stages, toArray()));
  };
  return { session, log, run, observer, credits, decoded, end };
}

describe('the end of a patch', () => {
  it('is stored, published, on record, and only then gives its slot back', async () => {
    const { session, log, observer, credits, decoded, end, run } = await endOf();
    const patch = settled(session, masked);
    expect(await end([patch])).toEqual([patch]);
    const place = `${patch.ref.col},${patch.ref.row}`;
    expect(log).toEqual([`stored ${place}`, 'published mask', `record ${place}`]);
    expect([credits.free, session.aggregate.settled, observer.acknowledgements.length]).toEqual([1, 1, 1]);
    expect([...run.records()]).toEqual([patch.record]);
    expect(observer.stages).toEqual(['>store', '<store ok', '>publish', '<publish ok']);
    const [event] = decoded();
    expect(event).toMatchObject({ kind: 'mask', run: 'abc', side: 64, model: 'test', modelversion: '1' });
  });

  it('publishes the mask that was stored, bit for bit', async () => {
    const { session } = await sessionOf();
    const { bus, events } = busOf();
    const patch = settled(session, masked);
    await firstValueFrom(of(patch).pipe(publish(bus, new RecordingObserver(), never)));
    const { bits, width, height } = decodeMaskPng(events[0]!.data);
    expect([width, height]).toEqual([64, 64]);
    expect(Buffer.compare(bits, patch.mask!.bits)).toBe(0);
  });

  it('of an empty one publishes nothing, and is on record', async () => {
    const { session, log, end } = await endOf();
    const { mask: _, ...empty } = settled(session, 0);
    await end([{ ...empty, record: { ...empty.record, outcome: 'empty' } }]);
    expect(log).toEqual(['stored 0,0', 'record 0,0']);
  });

  it('of a failed one publishes a dead letter that says at which stage, how often and what next', async () => {
    const { session, decoded, end } = await endOf();
    const error = new StromaflowError('TILE_CORRUPT', 'tile (3, 4) cannot be decoded', { fix: 'scan it again' });
    const { mask: _, ...failed } = settled(session, 1);
    const record = { ...failed.record, outcome: 'failed', code: 'TILE_CORRUPT' } as const;
    await end([{ ...failed, record, failure: { stage: 'read', error, attempts: 2 } }]);
    const letter = {
      ...{ stage: 'read', attempts: 2, slide: 'slide_1', run: 'abc' },
      patch: { level: 0, col: 1, row: 0, x: 64, y: 0, width: 64, height: 64 },
      error: { code: 'TILE_CORRUPT', message: 'tile (3, 4) cannot be decoded', fix: 'scan it again' },
    };
    expect(decoded()).toMatchObject([{ kind: 'dlq', letter }]);
    expect(session.aggregate.counts(false).failed).toBe(1);
  });
});

describe('a slide that fails at the end', () => {
  const full = new Error('ENOSPC: no space left on device, write');
  const broken = {
    outputs: { code: 'OUTPUT_FULL', parts: async () => ({ output: await outputThat(full) }), left: [] as string[] },
    ledger: {
      code: 'LEDGER_FAILED',
      parts: async () => ({ run: await runThat() }),
      left: ['stored 0,0', 'published mask'],
    },
  };
  const outputThat = async (error: Error) => {
    const { session } = await sessionOf();
    const patch = async (): Promise<undefined> => {
      throw Object.assign(error, { code: 'ENOSPC' });
    };
    return { ...session.output, patch };
  };
  const runThat = async () => {
    const { run } = await sessionOf();
    const record = async (): Promise<void> => {
      throw new Error('the disk went away');
    };
    return Object.assign(Object.create(run), { record });
  };

  it.each(['outputs', 'ledger'] as const)(
    'by its %s does no more with its patches but give their slots back',
    async name => {
      const { code, parts, left } = broken[name];
      const { session, log, credits, end, observer } = await endOf(await parts());
      await end([settled(session, masked)]);
      expect(log).toEqual(left);
      expect(session.failure).toMatchObject({ code });
      expect([credits.free, session.aggregate.settled, observer.acknowledgements]).toEqual([1, 0, []]);
      await end([settled(session, masked + 1)]);
      expect(log).toEqual(left);
      expect(credits.free).toBe(2);
    },
  );

  it('by the bus leaves the patch off the record, so that it is published on the next start', async () => {
    const { session, log, credits, end, observer } = await endOf({}, new Error('no server'));
    await end([settled(session, masked)]);
    expect(log).toEqual([`stored ${masked},0`]);
    expect(session.failure).toMatchObject({ code: 'BUS_PUBLISH', message: expect.stringContaining('no server') });
    expect([credits.free, observer.stages.at(-1)]).toEqual([1, '<publish failed']);
  });

  it('keeps its first failure', async () => {
    const { session } = await sessionOf();
    const [first, second] = [new Error('first'), new Error('second')];
    session.failure ??= first;
    session.failure ??= second;
    expect(session.failure).toBe(first);
    expect(session.failed.aborted).toBe(true);
  });
});
