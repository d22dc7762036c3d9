import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { patience } from '#src/stage/patience.js';

const fired = (signal: AbortSignal) =>
  new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));

describe('patience', () => {
  it('ends some time after the signal, not before', async () => {
    const stop = new AbortController();
    const late = patience(stop.signal, 0.01);
    expect(late.aborted).toBe(false);
    stop.abort();
    expect(late.aborted).toBe(false);
    await fired(late);
    expect(late.aborted).toBe(true);
  });

  it('leaves one listener on a signal, however often it is asked for', () => {
    const { signal } = new AbortController();
    const asked = Array.from({ length: 100 }, () => patience(signal, 5));
    expect(new Set(asked).size).toBe(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    expect(patience(signal, 6)).not.toBe(asked[0]);
  });

  it('is given anew to who asks after the end', async () => {
    const stop = new AbortController();
    const early = patience(stop.signal, 0.01);
    stop.abort();
    await fired(early);
    const late = patience(stop.signal, 0.01);
    expect(late.aborted).toBe(false);
    await fired(late);
  });

  it('may be waited on by as many patches as there are, without a word of Node’s', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error) => warnings.push(warning);
    process.on('warning', hear);
    const signal = patience(new AbortController().signal, 5);
    for (let i = 0; i < 50; i++) signal.addEventListener('abort', () => undefined);
    // Warnings are emitted on the next tick.
    await new Promise(resolve => setImmediate(resolve));
    process.off('warning', hear);
    expect(warnings).toEqual([]);
  });
});
