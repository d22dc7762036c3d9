import { setTimeout as sleep } from 'node:timers/promises';
import { lastValueFrom, Subject, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { ServingModel } from '#src/engine/model-switch.js';
import type { Segmenter } from '#src/engine/segmenter.js';
import { infer } from '#src/stage/infer.js';
import type { ReadPatch } from '#src/stage/item.js';
import { RecordingObserver } from '../support/observer.js';

/** A model whose masks are filled with its number; it notes its batches, and how many ran at once. */
function modelOf(fill: number, { batch = 4, lanes = 1 } = {}) {
  const retire = new AbortController();
  const batches: (readonly number[])[] = [];
  let running = 0;
  const peak = { value: 0 };
  const segment: Segmenter['segment'] = async slots => {
    batches.push(slots);
    peak.value = Math.max(peak.value, ++running);
    await sleep(5);
    running -= 1;
    return { bits: slots.map(() => new Uint8Array([fill])), counts: new Int32Array(slots.length), seconds: 0.005 };
  };
  const segmenter = { info: { batch, lanes }, segment, close: async () => undefined };
  const model = { segmenter, retired: retire.signal } as unknown as ServingModel;
  return { model, retire, batches, peak };
}

const patch = (model: ServingModel, slot: number) => ({ session: { model }, slot }) as unknown as ReadPatch;
const fillOf = (given: { inferred?: object | undefined }): number | undefined =>
  given.inferred && 'bits' in given.inferred ? (given.inferred.bits as Uint8Array)[0] : undefined;

describe('infer', () => {
  test('keeps batches to one model while slides of two are under way, and every patch comes out once', async () => {
    const [old, next] = [modelOf(1), modelOf(2)];
    const patches = new Subject<ReadPatch>();
    const results = lastValueFrom(
      patches.pipe(infer({ delayMs: 10_000, observer: new RecordingObserver() }), toArray()),
    );
    for (let slot = 0; slot < 10; slot++) patches.next(patch(slot % 2 ? old.model : next.model, slot));
    patches.complete();
    const done = await results;
    expect(old.batches).toEqual([[1, 3, 5, 7], [9]]);
    expect(next.batches).toEqual([[0, 2, 4, 6], [8]]);
    expect(done.map(({ slot }) => slot).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(done.every(item => fillOf(item) === (item.slot % 2 ? 1 : 2))).toBe(true);
  });

  test('a retired model leaves nothing waiting', async () => {
    const { model, retire, batches } = modelOf(1);
    const patches = new Subject<ReadPatch>();
    const seen: number[] = [];
    patches
      .pipe(infer({ delayMs: 10_000, observer: new RecordingObserver() }))
      .subscribe(({ slot }) => seen.push(slot));
    patches.next(patch(model, 3));
    retire.abort();
    while (seen.length === 0) await sleep(2);
    expect(batches).toEqual([[3]]);
    expect(seen).toEqual([3]);
  });

  test.each([1, 3])('gives an engine of %i lanes that many batches to run, and one to wait', async lanes => {
    const { model, peak } = modelOf(1, { batch: 2, lanes });
    const patches = new Subject<ReadPatch>();
    const results = lastValueFrom(patches.pipe(infer({ delayMs: 0, observer: new RecordingObserver() }), toArray()));
    for (let slot = 0; slot < 24; slot++) patches.next(patch(model, slot));
    patches.complete();
    expect(await results).toHaveLength(24);
    expect(peak.value).toBe(lanes + 1);
  });
});
