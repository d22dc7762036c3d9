import fc from 'fast-check';
import { firstValueFrom, from, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { validSize } from '#src/read/plan.js';
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

  it('that misses a part has no mask there, and says where it is', async () => {
    const { session } = await sessionOf();
    const missing = [
      { x: 0, y: 0, width: 64, height: 11 },
      { x: 3, y: 11, width: 14, height: 20 },
    ];
    const read = { outcome: 'tissue', validPixels: 4096, tissuePixels: 5, missing, seconds: 0 } as const;
    const { record, mask } = await settle(inferred(session, 0, { read }));
    expect(record).toEqual({
      ...{ level: 0, col: 0, row: 0, outcome: 'segmented', validPixels: 4096, tissuePixels: 5 },
      ...{ stromaPixels: 4096 - 64 * 11 - 14 * 20, missingPixels: 64 * 11 + 14 * 20, missingAt: missing },
    });
    for (let y = 0; y < 64; y++)
      for (let x = 0; x < 64; x++) {
        const isMissing = y < 11 || (y < 31 && x >= 3 && x < 17);
        expect((mask!.bits[y * 8 + (x >> 3)]! >> (7 - (x & 7))) & 1, `${x},${y}`).toBe(isMissing ? 0 : 1);
      }
  });

  it('that is missing as a whole, or has no tissue beside what is missing, is not empty', async () => {
    const { session } = await sessionOf();
    const observer = new RecordingObserver();
    const { inferred: _, ...unseen } = inferred(session, 1);
    const whole = [{ x: 0, y: 0, width: 7, height: 1 }];
    const of = (missing: typeof whole) =>
      settle(
        { ...unseen, read: { outcome: 'missing', validPixels: 7, tissuePixels: 0, missing, seconds: 0 } },
        observer,
      );
    const { record } = await of(whole);
    expect(record).toMatchObject({ outcome: 'missing', validPixels: 7, missingPixels: 7, stromaPixels: 0 });
    expect(record).not.toHaveProperty('missingAt');
    const part = [{ x: 0, y: 0, width: 3, height: 1 }];
    expect((await of(part)).record).toMatchObject({ outcome: 'missing', missingPixels: 3, missingAt: part });
    expect(observer.drops).toEqual(['missing', 'missing']);
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
