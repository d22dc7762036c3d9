import { lastValueFrom, take, toArray } from 'rxjs';
import { expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import type { Parts } from '#pipelines/parts.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { deliver, happened, opened, pyramid } from './live-support.js';

/** The same parts, whose model's version can be changed for the slides that follow. */
function switchable(parts: Parts): { parts: Parts; change: (version: string) => void } {
  let { current } = parts.models;
  const models = {
    get current() {
      return current;
    },
    take: () => current,
    adopt: () => current,
    release: () => undefined,
    reload: async () => undefined,
  };
  const change = (modelVersion: string): void => {
    const { segmenter } = current;
    const info = { ...segmenter.info, modelVersion };
    const next = { info, segment: segmenter.segment.bind(segmenter), close: () => segmenter.close() };
    current = { ...current, segmenter: next };
  };
  return { parts: { ...parts, models }, change };
}

/** Coarse levels are written behind the level that was read, which is then looked at again. */
it('a slide that is complete stays with its model while its coarser levels come', async () => {
  const [folder, out] = [await emptyFolder(), await emptyFolder()];
  const whole = await partsWith({ out, poll: 0.1, settle: 0.3 });
  opened.push(whole);
  const { parts: heard, events } = recording(whole);
  const { parts, change } = switchable(heard);
  const abort = new AbortController();
  const { signal } = abort;
  const watching = lastValueFrom(segmentLive(folder, parts, signal).pipe(take(2), toArray()));
  const done = happened('completed', signal);
  let isChanged = false;
  await simulateScan(await pyramid(0.5), folder, {
    ...{ as: 'growing-tiff', order: 'rows', rate: 0, signal },
    onTile: async level => {
      if (level === 0 || isChanged) return;
      isChanged = true;
      await done;
      change('2');
    },
  });
  const again = happened('completed', signal);
  await deliver(SLIDE, folder, 'next.svs');
  await again;
  const results = await watching;
  abort.abort();
  expect(results.map(({ id, state }) => [id, state])).toEqual([
    ['pyramid', 'completed'],
    ['next', 'completed'],
  ]);
  const versions = events.flatMap(({ type, data }) =>
    type === 'stromaflow.slide.opened.v1' ? [JSON.parse(Buffer.from(data).toString()).model] : [],
  );
  expect(versions).toHaveLength(2);
  expect(versions[0]).not.toEqual(versions[1]);
  expect(parts.ledger.find('pyramid')?.state).toBe('completed');
}, 60_000);
