import { describe, expect, it } from 'vitest';
import type { SlideResult } from '#pipelines/slide-result.js';
import { SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';
import { finishedMask, happened, kinds, maskOf, masks, scan, watchFor } from './live-support.js';

const lateTiles = (result?: SlideResult): number | undefined =>
  result?.state === 'completed' ? result.summary.tiles?.late : undefined;

/** Waits for something after so many tiles, each once. */
function waiting(waits: Readonly<Record<number, Promise<void>>>): () => Promise<void> {
  let tiles = 0;
  return async () => waits[++tiles];
}

describe('a slide that is segmented while it is scanned', () => {
  const ways = ['growing-tiff', 'checkpointed-tiff', 'tile-folder', 'dicom', 'ndtiff'] as const;
  const orders = ['rows', 'columns', 'stripes', 'random'] as const;
  for (const [way, as] of ways.entries())
    for (const order of THOROUGH ? orders : ([orders[way % 3]!, 'random'] as const))
      it(`${as}, ${order}: the same masks as the finished slide`, async () => {
        const watched = await watchFor(1, {}, scan({ as, order, rate: 400, checkpoint: 16 }));
        expect(watched.results[0]).toMatchObject({ id: 'CMU-1-Small-Region', state: 'completed' });
        expect(await maskOf(watched.out, 'CMU-1-Small-Region')).toEqual(
          await finishedMask(SLIDE, 'CMU-1-Small-Region'),
        );
        const ids = masks(watched.events);
        expect(new Set(ids).size).toBe(ids.length);
      });

  it('publishes masks before the slide is on disk', async () => {
    const { results, events } = await watchFor(1, {}, (folder, signal) => {
      const first = happened('mask', signal);
      return scan({ onTile: waiting({ 65: first }) })(folder, signal);
    });
    // The scanner waited for it with half of the slide still to write.
    expect(masks(events).length).toBeGreaterThan(1);
    expect(results[0]).toMatchObject({ state: 'completed' });
  });
});

describe('a slide that stops growing', () => {
  it('becomes incomplete, keeps its masks, and goes on when it grows again', async () => {
    const { results, events, out } = await watchFor(2, { config: { 'incomplete-after': 0.4 } }, (folder, signal) => {
      // What never changed while it was followed is taken for whole.
      const [followed, stalled] = [happened('opened', signal), happened('incomplete', signal)];
      const again = stalled.then(() => happened('opened', signal));
      return scan({ onTile: waiting({ 20: followed, 65: stalled, 80: again }) })(folder, signal);
    });
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'stalled' });
    expect(results[1]).toMatchObject({ state: 'completed', summary: { patches: { expected: 30, missing: 0 } } });
    expect(results[1]).toMatchObject({ summary: { tiles: { seen: 130, late: expect.any(Number), missing: 0 } } });
    expect(lateTiles(results[1])).toBeGreaterThan(0);
    const states = kinds(events).filter(kind => ['opened', 'incomplete', 'completed'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    const ids = masks(events);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await maskOf(out, 'CMU-1-Small-Region')).toEqual(await finishedMask(SLIDE, 'CMU-1-Small-Region'));
  });
});
