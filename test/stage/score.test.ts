import { firstValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { score } from '#src/stage/score.js';
import { sessionOf, settled } from './session-fixture.js';

describe('score', () => {
  const labelled = (counts: { intersection: number; union: number } | undefined) => {
    const asked: unknown[] = [];
    const labels = {
      score: async (...given: unknown[]) => {
        asked.push(given);
        return counts;
      },
      close: async () => undefined,
    };
    return { labels, asked };
  };

  it('adds the counts of a labelled patch to its record', async () => {
    const { labels, asked } = labelled({ intersection: 3, union: 5 });
    const { session } = await sessionOf({ labels });
    const patch = settled(session, 0, { probabilities: Uint8Array.of(9) });
    const { record } = await firstValueFrom(of(patch).pipe(score()));
    expect(record).toEqual({ ...patch.record, intersection: 3, union: 5 });
    expect(asked).toEqual([[patch.ref, patch.mask, patch.probabilities, undefined]]);
    const missingAt = [{ x: 0, y: 0, width: 8, height: 8 }];
    await firstValueFrom(of({ ...patch, record: { ...patch.record, missingAt } }).pipe(score()));
    expect(asked[1]).toEqual([patch.ref, patch.mask, patch.probabilities, missingAt]);
  });

  it('leaves patches alone that have no labels, or no outcome to compare', async () => {
    const { labels, asked } = labelled(undefined);
    const { session } = await sessionOf({ labels });
    const patch = settled(session, 0);
    expect(await firstValueFrom(of(patch).pipe(score()))).toBe(patch);
    for (const outcome of ['failed', 'missing'] as const) {
      const without = settled(session, 0, { record: { ...patch.record, outcome } });
      expect(await firstValueFrom(of(without).pipe(score()))).toBe(without);
    }
    expect(asked).toHaveLength(1);
    const unlabelled = settled((await sessionOf()).session, 0);
    expect(await firstValueFrom(of(unlabelled).pipe(score()))).toBe(unlabelled);
  });
});
