import fc from 'fast-check';
import { from, lastValueFrom, Subject, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { batch, EngineGate } from '#src/stage/batch.js';
import { RecordingObserver } from '../support/observer.js';

describe('batch', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const start = (size: number, delayMs: number, gate = new EngineGate(1)) => {
    const source = new Subject<number>();
    const observer = new RecordingObserver();
    const batches: (readonly number[])[] = [];
    source.pipe(batch({ size, delayMs, gate, observer })).subscribe(sealed => batches.push(sealed));
    return { source, observer, batches, gate };
  };

  it('leaves when full', () => {
    const { source, batches, observer } = start(2, 100);
    for (const item of [1, 2, 3]) source.next(item);
    expect(batches).toEqual([[1, 2]]);
    expect(observer.batches[0]).toMatchObject({ size: 2, reason: 'full' });
  });

  it('counts the delay from the first item of the batch, not from the last flush', () => {
    const { source, batches, observer } = start(4, 100);
    vi.advanceTimersByTime(90);
    source.next(1);
    vi.advanceTimersByTime(60);
    source.next(2);
    expect(batches).toEqual([]);
    vi.advanceTimersByTime(40);
    expect(batches).toEqual([[1, 2]]);
    expect(observer.batches[0]?.reason).toBe('delay');
  });

  it('emits nothing when nothing came', () => {
    const { source, batches } = start(4, 10);
    vi.advanceTimersByTime(1000);
    source.complete();
    expect(batches).toEqual([]);
  });

  it('goes on filling while the engine is busy, and leaves the moment it is free', () => {
    const gate = new EngineGate(1);
    const { source, batches } = start(4, 10, gate);
    gate.enter();
    source.next(1);
    vi.advanceTimersByTime(50);
    source.next(2);
    expect(batches).toEqual([]);
    gate.leave();
    expect(batches).toEqual([[1, 2]]);
  });

  it('flushes the rest at the end', () => {
    const { source, batches, observer } = start(4, 1000);
    source.next(1);
    source.complete();
    expect(batches).toEqual([[1]]);
    expect(observer.batches[0]?.reason).toBe('end');
  });

  it('passes a failure on and forgets its timer', async () => {
    const gate = new EngineGate(1);
    const failing = throwError(() => new Error('broken')).pipe(
      batch({ size: 2, delayMs: 10, gate, observer: new RecordingObserver() }),
    );
    await expect(lastValueFrom(failing)).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps every item, in order, in batches of at most the size', async () => {
    vi.useRealTimers();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), fc.integer({ min: 1, max: 7 }), async (items, size) => {
        const options = { size, delayMs: 5, gate: new EngineGate(1), observer: new RecordingObserver() };
        const batches = await lastValueFrom(from(items).pipe(batch(options), toArray()));
        expect(batches.flat()).toEqual(items);
        for (const sealed of batches) {
          expect(sealed.length).toBeGreaterThan(0);
          expect(sealed.length).toBeLessThanOrEqual(size);
        }
      }),
    );
  });
});
