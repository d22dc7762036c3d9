import { describe, expect, it } from 'vitest';
import { Turns } from '#src/stage/turns.js';

describe('Turns', () => {
  it('lets what has one name go one after the other, in the order of the calls, and others at once', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const release: (() => void)[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await new Promise<void>(resolve => release.push(resolve));
      log.push(`${name} ends`);
      return name;
    };
    const all = [turns.take('a', work('a1')), turns.take('a', work('a2')), turns.take('b', work('b1'))];
    await new Promise(resolve => setImmediate(resolve));
    expect(log).toEqual(['a1 begins', 'b1 begins']);
    release[0]!();
    await all[0];
    await new Promise(resolve => setImmediate(resolve));
    expect(log).toEqual(['a1 begins', 'b1 begins', 'a1 ends', 'a2 begins']);
    for (const go of release) go();
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1']);
  });

  it('goes on after one that failed', async () => {
    const turns = new Turns();
    const failing = turns.take('a', () => Promise.reject(new Error('no')));
    const next = turns.take('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
