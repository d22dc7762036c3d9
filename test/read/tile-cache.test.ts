import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { TileCache } from '#src/read/tile-cache.js';

const MIB = 2 ** 20;

function cacheOf(tiles: number): TileCache {
  const cache = new TileCache(new PixelMemory(), tiles * MIB);
  cache.prepare(MIB);
  return cache;
}

describe('TileCache', () => {
  it('finds what was put, and drops the least recently used', () => {
    const cache = cacheOf(3);
    const places = [1, 2, 3].map(key => {
      const at = cache.take();
      cache.put(key, at);
      return at;
    });
    expect(new Set(places).size).toBe(3);
    expect(cache.get(1)).toBe(places[0]);
    expect(cache.take()).toBe(places[1]);
    expect(cache.get(2)).toBeUndefined();
    expect(cache.get(1)).toBe(places[0]);
    expect(cache.get(3)).toBe(places[2]);
  });

  it('knows what a tile lacks for as long as it has the tile', () => {
    const cache = cacheOf(2);
    const gaps = [{ x: 0, y: 0, width: 3, height: 4 }];
    cache.put(1, cache.take(), gaps);
    cache.put(2, cache.take());
    expect([cache.gapsOf(1), cache.gapsOf(2)]).toEqual([gaps, []]);
    cache.spend(1);
    expect(cache.gapsOf(1)).toEqual(gaps);
    cache.take();
    expect([cache.get(1), cache.gapsOf(1)]).toEqual([undefined, []]);
    cache.put(3, cache.take(), gaps);
    cache.forget(3, 4);
    expect(cache.gapsOf(3)).toEqual([]);
    cache.put(4, cache.take(), gaps);
    cache.prepare(2 * MIB);
    expect(cache.gapsOf(4)).toEqual([]);
  });

  it('gives up spent tiles first, but keeps some for the next patch', () => {
    const cache = cacheOf(30);
    for (let key = 0; key < 20; key++) cache.put(key, cache.take());
    for (let key = 0; key < 10; key++) cache.spend(key);
    const fresh = cache.take();
    cache.put(100, fresh);
    // Ten spent tiles are more than the eight that are kept back: the oldest went, none that is wanted did.
    expect(cache.get(0)).toBeUndefined();
    for (let key = 1; key < 20; key++) expect(cache.get(key)).toBeDefined();
    expect(cache.touchedBytes).toBe(20 * MIB);
  });

  it('takes back frames that were not filled, and forgets a slide', () => {
    const cache = cacheOf(2);
    const at = cache.take();
    cache.release(at);
    expect(cache.take()).toBe(at);
    cache.put(10, at);
    cache.put(20, cache.take());
    cache.forget(10, 20);
    expect(cache.get(10)).toBeUndefined();
    expect(cache.get(20)).toBeDefined();
    expect(cache.take()).toBe(at);
  });

  it('starts over when tiles become larger, and keeps one however large', () => {
    const cache = cacheOf(2);
    cache.put(1, cache.take());
    cache.prepare(MIB / 2);
    expect(cache.get(1)).toBeDefined();
    cache.prepare(5 * MIB);
    expect(cache.get(1)).toBeUndefined();
    const at = cache.take();
    cache.put(1, at);
    expect(cache.take()).toBe(at);
  });

  it('never lends a frame twice and stays within its size, whatever happens', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('read', 'fail', 'spend', 'forget'), fc.nat({ max: 40 })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 12 }), (list, tiles) => {
        const cache = cacheOf(tiles);
        const held = new Map<number, number>();
        for (const [step, key] of list) {
          if (step === 'spend') cache.spend(key);
          else if (step === 'forget') cache.forget(key, key + 3);
          else if (cache.get(key) === undefined) {
            const at = cache.take();
            for (const [other, place] of held) if (place === at) expect(cache.get(other)).not.toBe(at);
            if (step === 'fail') cache.release(at);
            else {
              cache.put(key, at);
              held.set(key, at);
              expect(cache.get(key)).toBe(at);
            }
          }
          expect(cache.touchedBytes).toBeLessThanOrEqual(tiles * MIB);
        }
      }),
    );
  });
});
