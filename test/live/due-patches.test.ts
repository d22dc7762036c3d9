import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrivalQueue } from '#src/live/arrival-queue.js';
import { duePatches } from '#src/live/due-patches.js';
import type { LiveSlide, LiveState, TileArrivals } from '#src/live/live-slide.js';
import { planPatches } from '#src/read/plan.js';

const level = { width: 256, height: 192, downsample: 1, mpp: 0.5, tileWidth: 64, tileHeight: 64 };
const facts = { id: 'x', path: 'x', format: 'x', fingerprint: 'x', properties: {} };
const info = { ...facts, mpp: 0.5, levels: [level] };
/** A patch a tile, so that the tiles that came are the patches that are due. */
const plan = planPatches(info, { spacing: 0.5, patchSize: 64 });
const TILES = 12;

/** A slide whose tiles come when the test says so. */
function slideOf() {
  const tiles = new ArrivalQueue<TileArrivals>();
  const asked: { level?: number; signal?: AbortSignal } = {};
  const live = {
    opened: { info },
    state: 'growing' as LiveState,
    follow(at: number, signal: AbortSignal) {
      Object.assign(asked, { level: at, signal });
      return tiles;
    },
  };
  const finish = (state: LiveState): void => {
    live.state = state;
    tiles.end();
  };
  return { live: live as unknown as LiveSlide, tiles, asked, finish };
}

const placeOf = ({ col, row }: { col: number; row: number }): number => row * plan.cols + col;
const never = new AbortController().signal;

describe('duePatches', () => {
  it('gives out each patch with its tile, and the others when the slide is complete', () =>
    fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(TILES - 1)), async came => {
        const { live, tiles, asked, finish } = slideOf();
        for (const [index, tile] of came.entries()) tiles.push({ tiles: [tile], at: index });
        finish('complete');
        const given: number[] = [];
        const times: number[] = [];
        for await (const { ref, at } of duePatches(live, plan, never)) {
          given.push(placeOf(ref));
          times.push(at);
        }
        const others = Array.from({ length: TILES }, (_, tile) => tile).filter(tile => !came.includes(tile));
        expect(given).toEqual([...came, ...others]);
        expect(times.slice(0, came.length)).toEqual(came.map((_, index) => index));
        expect(asked.level).toBe(0);
      }),
    ));

  it.each(['stalled', 'replaced', 'gone'] as const)('gives out nothing more of a slide that is %s', async state => {
    const { live, tiles, finish } = slideOf();
    tiles.push({ tiles: [3, 5], at: 7 });
    finish(state);
    const given: number[] = [];
    for await (const { ref } of duePatches(live, plan, never)) given.push(placeOf(ref));
    expect(given).toEqual([3, 5]);
  });

  it('hands on what following failed with', async () => {
    const { live, tiles } = slideOf();
    tiles.push({ tiles: [1], at: 0 });
    tiles.fail(new Error('the share went away'));
    const due = duePatches(live, plan, never);
    expect((await due.next()).value?.ref).toMatchObject({ col: 1, row: 0 });
    await expect(due.next()).rejects.toThrow('the share went away');
  });

  it('ends when the signal aborts, also while nothing comes', async () => {
    const { live, tiles, asked } = slideOf();
    const stop = new AbortController();
    const due = duePatches(live, plan, stop.signal);
    const waiting = due.next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(asked.signal?.aborted).toBe(true);
    // Following broke because it was told to stop: no failure of the slide.
    tiles.fail(new Error('aborted'));
    await new Promise(resolve => setImmediate(resolve));
    expect(await due.next()).toEqual({ done: true, value: undefined });
  });

  it('stops following when its consumer has enough', async () => {
    const { live, tiles, asked } = slideOf();
    tiles.push({ tiles: [0, 1], at: 0 });
    for await (const { ref } of duePatches(live, plan, never)) {
      expect(placeOf(ref)).toBe(0);
      break;
    }
    expect(asked.signal?.aborted).toBe(true);
  });
});
