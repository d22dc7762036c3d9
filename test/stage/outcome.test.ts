import fc from 'fast-check';
import { firstValueFrom, from, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { validSize } from '#src/slide/plan.js';
import type { InferredPatch } from '#src/stage/item.js';
import { outcome } from '#src/stage/outcome.js';
import { RecordingObserver } from '../support/observer.js';
import { inferred, SLIDE, sessionOf } from './session-fixture.js';

const error = new StromaflowError('TILE_CORRUPT', 'a tile');
const settle = (patch: InferredPatch, observer = new RecordingObserver()) =>
  firstValueFrom(of(patch).pipe(outcome(observer)));

describe('the outcome of a patch', () => {
  it('with a mask has what of it lies inside the slide, counted exactly', async () => {
    const { session } = await sessionOf();
    await fc.assert(
      fc.asyncProperty(fc.nat(5), fc.uint8Array({ minLength: 512, maxLength: 512 }), async (index, bits) => {
        const observer = new RecordingObserver();
        const { record, mask, failure } = await settle(inferred(session, index, { inferred: { bits } }), observer);
        const { col, row } = SLIDE.patches[index]!.ref;
        const [width, height] = validSize(SLIDE.plan, col, row);
        let inside = 0;
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) if (bits[y * 8 + (x >> 3)]! & (128 >> (x & 7))) inside += 1;
        expect(record).toEqual({
          ...{ level: 0, col, row, outcome: 'segmented', validPixels: 9, tissuePixels: 5, stromaPixels: inside },
        });
        expect([mask?.stromaPixels, mask?.side, failure, observer.drops]).toEqual([inside, 64, undefined, []]);
      }),
      { numRuns: 30 },
    );
  });

  it('that was never given to the engine is empty, and has no mask', async () => {
    const { session } = await sessionOf();
    const observer = new RecordingObserver();
    const { inferred: _, ...unseen } = inferred(session, 1);
    const settled = await settle(
      { ...unseen, read: { outcome: 'empty', validPixels: 7, tissuePixels: 2, seconds: 0 } },
      observer,
    );
    expect(settled.record).toMatchObject({ outcome: 'empty', validPixels: 7, tissuePixels: 2, stromaPixels: 0 });
    expect(['mask' in settled, 'failure' in settled, observer.drops]).toEqual([false, false, ['empty']]);
  });

  it('that could not be read is failed after one try, and counts nothing', async () => {
    const { session } = await sessionOf();
    const observer = new RecordingObserver();
    const { inferred: _, ...unseen } = inferred(session, 2);
    const { record, failure, slot } = await settle({ ...unseen, read: { outcome: 'failed', error } }, observer);
    expect(record).toEqual({
      ...{ level: 0, col: 2, row: 0, outcome: 'failed', validPixels: 0, tissuePixels: 0, stromaPixels: 0 },
      code: 'TILE_CORRUPT',
    });
    expect([failure, slot, observer.drops]).toEqual([{ stage: 'read', error, attempts: 1 }, 2, ['failed']]);
  });

  it('that makes the engine fail keeps its tissue, and says how often it was tried', async () => {
    const { session } = await sessionOf();
    const engine = new StromaflowError('ENGINE_FAILED', 'out of memory');
    const { record, failure } = await settle(inferred(session, 0, { inferred: { error: engine, attempts: 3 } }));
    expect(record).toMatchObject({ outcome: 'failed', validPixels: 9, tissuePixels: 5, code: 'ENGINE_FAILED' });
    expect(failure).toEqual({ stage: 'infer', error: engine, attempts: 3 });
  });

  it('hands probabilities on where there are any, in the order the patches came', async () => {
    const { session } = await sessionOf();
    const probabilities = Uint8Array.of(1, 2);
    const bits = new Uint8Array(512);
    const given = [inferred(session, 0, { inferred: { bits, probabilities } }), inferred(session, 4)];
    const settled = await lastValueFrom(from(given).pipe(outcome(new RecordingObserver()), toArray()));
    expect(settled.map(patch => patch.probabilities)).toEqual([probabilities, undefined]);
    expect(settled.map(({ ref }) => [ref.col, ref.row])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });
});
