import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { BatchMasks, FailedPatch, Segmenter } from '#src/engine/segmenter.js';
import { StromaflowError } from '#src/errors.js';
import { EngineGate } from '#src/stage/batch.js';
import type { ReadPatch } from '#src/stage/item.js';
import { segment } from '#src/stage/segment.js';
import { RecordingObserver } from '../support/observer.js';
import { ENGINE, inferred, type Session, sessionOf } from './session-fixture.js';

/** Segments batches of patches by a function. */
async function segmented(
  batches: readonly (readonly ReadPatch[])[],
  answer: (slots: readonly number[]) => Promise<BatchMasks>,
) {
  const gate = new EngineGate(1);
  const observer = new RecordingObserver();
  const segmenter = { info: ENGINE, segment: answer, close: async () => undefined } as unknown as Segmenter;
  const stage = segment(segmenter, { concurrency: 2, gate, observer });
  const patches = await lastValueFrom(from(batches).pipe(stage, toArray()));
  expect(gate.free).toBe(true);
  return { patches, observer };
}

const masksOf = (slots: readonly number[], more: Partial<BatchMasks> = {}): BatchMasks => ({
  bits: slots.map(slot => Uint8Array.of(slot)),
  counts: new Int32Array(slots.length),
  seconds: 1,
  ...more,
});

const patchesOf = (session: Session, ...slots: number[]): ReadPatch[] =>
  slots.map(slot => ({ ...inferred(session, 0), slot, inferred: undefined }) as unknown as ReadPatch);

describe('segment', () => {
  it('gives each patch its own mask, one by one', async () => {
    const { session } = await sessionOf();
    const { patches, observer } = await segmented([patchesOf(session, 4, 2), patchesOf(session, 5)], async slots =>
      masksOf(slots),
    );
    expect(patches.map(({ slot, inferred: given }) => [slot, given && 'bits' in given && given.bits[0]])).toEqual([
      [4, 4],
      [2, 2],
      [5, 5],
    ]);
    expect(observer.stages.filter(stage => stage === '<segment ok')).toHaveLength(3);
  });

  it('hands probabilities on, and fails only the patches that the engine names', async () => {
    const { session } = await sessionOf();
    const failure: FailedPatch = { error: new StromaflowError('ENGINE_FAILED', 'this one'), attempts: 2 };
    const { patches, observer } = await segmented([patchesOf(session, 0, 1, 2)], async slots =>
      masksOf(slots, { failed: new Map([[1, failure]]), probabilities: slots.map(slot => Uint8Array.of(slot + 100)) }),
    );
    expect(patches.map(patch => patch.inferred)).toEqual([
      { bits: Uint8Array.of(0), probabilities: Uint8Array.of(100) },
      failure,
      { bits: Uint8Array.of(2), probabilities: Uint8Array.of(102) },
    ]);
    expect(session.failure).toBeUndefined();
    expect(observer.stages.slice(3)).toEqual(['<segment ok', '<segment failed', '<segment ok']);
  });

  it('fails the slides of a batch when the engine is gone, and loses no patch', async () => {
    const [{ session: one }, { session: other }, { session: apart }] = [
      await sessionOf(),
      await sessionOf(),
      await sessionOf(),
    ];
    const batches = [[...patchesOf(one, 0), ...patchesOf(other, 1)], patchesOf(apart, 2)];
    const { patches, observer } = await segmented(batches, async slots => {
      if (slots.includes(0)) throw new Error('the process ended');
      return masksOf(slots);
    });
    expect(patches.map(({ slot }) => slot).sort()).toEqual([0, 1, 2]);
    for (const session of [one, other])
      expect(session.failure).toMatchObject({ code: 'ENGINE_FAILED', message: expect.stringContaining('ended') });
    expect(apart.failure).toBeUndefined();
    expect(observer.stages.filter(stage => stage === '<segment failed')).toHaveLength(2);
  });
});
