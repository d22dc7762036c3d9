import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of, tap } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import type { Parts } from '#pipelines/parts.js';
import { Retries, type RetryResult } from '#pipelines/retries.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import { StromaflowError } from '#src/errors.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { DeadLetters } from '#src/event/stream/dead-letters.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { partsWith, withSegmenter } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { eventually } from '../support/processes.js';
import { maskOf, segmentFinished } from './live-support.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openServer(): Promise<TestNatsServer & { letters: DeadLetters }> {
  const server = await startNatsServer({ jetstream: true });
  closing.push(() => server.stop());
  const bus = await connectNatsBus({ url: server.url });
  const manager = await openManager(bus.connection);
  await setupStreams(manager, 'stroma.v1', DEFAULT_LIMITS);
  await bus.close();
  const publishing = await connectNatsBus({ url: server.url, publish: 'jetstream' });
  closing.push(() => publishing.close());
  const letters = new DeadLetters(publishing, await openManager(publishing.connection), 'stroma.v1');
  return Object.assign(server, { letters });
}

const whole = segmentFinished(SLIDE, 'slide');

/** An engine to which so many batches, from the third on, are poison. */
function failing(parts: Parts, batches: number): Parts {
  const { segmenter } = parts.models.current;
  let seen = 0;
  return withSegmenter(parts, async slots => {
    const masks = await segmenter.segment(slots);
    seen += 1;
    if (seen < 3 || seen >= 3 + batches) return masks;
    const error = new StromaflowError('ENGINE_FAILED', 'this patch makes the engine fail');
    return { ...masks, failed: new Map(slots.map((_, at) => [at, { error, attempts: 2 }])) };
  });
}

async function segment(parts: Parts): Promise<SlideResult> {
  const task = { path: SLIDE, id: 'slide', open: () => openSlide(SLIDE, { id: 'slide' }) };
  return lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
}

/** Parts as a command has them, with the requests that waited seen to. */
async function start(server: TestNatsServer, out: string, poisonous = 0) {
  const parts = await partsWith({ out, nats: server.url, batch: 2, readers: 1, poll: 0.1, settle: 0.2 });
  const results: RetryResult[] = [];
  const retries = new Retries(parts);
  await retries.begin(
    result => results.push(result),
    error => expect.fail(error.message),
  );
  const close = async (): Promise<void> => {
    await retries.close();
    await parts.close();
  };
  closing.push(close);
  return { parts: { ...(poisonous > 0 ? failing(parts, poisonous) : parts), retries }, results, close };
}

const places = (letters: Awaited<ReturnType<DeadLetters['list']>>) =>
  letters.map(({ letter: { patch } }) => `${patch?.col} ${patch?.row}`);

describe('dead letters', () => {
  it('are listed by slide and kind, put back, and make the slide whole at the next start', async () => {
    const server = await openServer();
    const { letters } = server;
    expect(await letters.list()).toEqual([]);
    const out = await emptyFolder();
    const first = await start(server, out, 2);
    const result = await segment(first.parts);
    await first.close();
    const found = await letters.list({ slide: 'slide', kind: 'poison' });
    expect(new Set(places(found)).size).toBeGreaterThanOrEqual(2);
    expect(result).toMatchObject({ state: 'completed', summary: { patches: { failed: found.length } } });
    expect(found[0]).toMatchObject({
      death: 'poison',
      standing: 'open',
      letter: { slide: 'slide', stage: 'infer', attempts: 2, kind: 'poison', error: { code: 'ENGINE_FAILED' } },
    });
    expect(await letters.list({ slide: 'other' })).toEqual([]);
    expect(await letters.list({ kind: 'permanent' })).toEqual([]);

    // It is done: without a request the next start leaves it as it is.
    const untouched = await start(server, out);
    expect(await segment(untouched.parts)).toMatchObject({ state: 'done-before' });
    await untouched.close();

    expect((await letters.retry(found)).map(({ letter }) => letter.slide)).toEqual(['slide']);
    expect(await letters.list()).toEqual([]);
    const second = await start(server, out);
    expect(second.results).toEqual([{ state: 'again', slide: 'slide', patches: found.length }]);
    expect(await segment(second.parts)).toMatchObject({ state: 'completed', summary: { patches: { failed: 0 } } });
    expect(await maskOf(out, 'slide')).toEqual((await whole).mask);
    await second.close();
    // The request was seen to once and for all.
    const third = await start(server, out);
    expect([third.results, await segment(third.parts)]).toMatchObject([[], { state: 'done-before' }]);
  });

  it('that fail again are letters again, also within the time in which repeats are dropped', async () => {
    const server = await openServer();
    const { letters } = server;
    const out = await emptyFolder();
    const first = await start(server, out, 1);
    await segment(first.parts);
    await first.close();
    const before = await letters.list();
    await letters.retry(before);
    const second = await start(server, out, 100);
    // The first two batches of a start are sound: the only one that is due is the first.
    const { segmenter } = second.parts.models.current;
    for (const _ of [1, 2]) await segmenter.segment([0]);
    expect(await segment(second.parts)).toMatchObject({ summary: { patches: { failed: before.length } } });
    const after = await letters.list();
    expect(places(after).toSorted()).toEqual(places(before).toSorted());
    expect(after[0]!.id).not.toBe(before[0]!.id);
  });

  it('put back while the folder is watched: the slide is opened once more, when nobody works on it', async () => {
    const server = await openServer();
    const { letters } = server;
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const { parts, results } = await start(server, out, 1);
    const stop = new AbortController();
    const slides: SlideResult[] = [];
    const watching = lastValueFrom(segmentLive(folder, parts, stop.signal).pipe(tap(result => slides.push(result))), {
      defaultValue: undefined,
    });
    await copyFile(SLIDE, join(folder, 'slide.svs'));
    await eventually(() => slides.length === 1);
    const found = await letters.list();
    expect(slides[0]).toMatchObject({ state: 'completed', summary: { patches: { failed: found.length } } });
    await letters.retry(found);
    await eventually(() => slides.length === 2);
    expect(results).toEqual([{ state: 'again', slide: 'slide', patches: found.length }]);
    expect(slides[1]).toMatchObject({ state: 'completed', summary: { patches: { failed: 0 } } });
    expect(await maskOf(out, 'slide')).toEqual((await whole).mask);
    stop.abort();
    await watching;
  });

  it('of a run that is no more, or whole by now, say so, and nothing is done for them', async () => {
    const server = await openServer();
    const { letters } = server;
    const out = await emptyFolder();
    // Of a busy machine a batch may be a patch.
    const first = await start(server, out, 2);
    await segment(first.parts);
    await first.close();
    const [letter, ...others] = await letters.list();
    // A request of a run that another took the place of, and one of a slide that nobody knows.
    const ask = async (slide: string, run: string): Promise<void> =>
      void (await letters.retry([{ ...letter!, letter: { ...letter!.letter, slide, run } }]));
    await ask('slide', 'another');
    await ask('nobody', letter!.letter.run);
    const second = await start(server, out);
    expect(second.results.toSorted((a, b) => (a.slide < b.slide ? -1 : 1))).toEqual([
      { state: 'unknown', slide: 'nobody' },
      { state: 'replaced', slide: 'slide' },
    ]);
    const anew = { ...second.parts, config: { ...second.parts.config, fresh: true } };
    expect(await segment(anew)).toMatchObject({ summary: { patches: { failed: 0 } } });
    expect(others.length).toBeGreaterThan(0);
    expect((await letters.list()).map(({ standing }) => standing)).toEqual(others.map(() => 'whole'));
    await letters.drop(await letters.list());
    expect(await letters.list()).toEqual([]);
  });
});
