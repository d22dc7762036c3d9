import { expect, it } from 'vitest';
import { balancedOrder, epochOrder, seedOf } from '#src/train/order.js';

it('every epoch has every patch once, in an order of its own', () => {
  const first = epochOrder(100, 7, 0);
  expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(epochOrder(100, 7, 0)).toEqual(first);
  expect(epochOrder(100, 7, 1)).not.toEqual(first);
  expect(epochOrder(100, 8, 0)).not.toEqual(first);
});

it('a balanced order draws rare classes as often as frequent ones', () => {
  const shares = [...Array<number>(90).fill(0), ...Array<number>(6).fill(0.5), ...Array<number>(4).fill(0.9)];
  const order = balancedOrder(shares, 1, 0);
  expect(order).toHaveLength(100);
  const drawn = (from: number, to: number) => order.filter(place => place >= from && place < to);
  // 34, 33 and 33 of the three classes that occur.
  expect([drawn(0, 90).length, drawn(90, 96).length, drawn(96, 100).length]).toEqual([34, 33, 33]);
  expect(new Set(drawn(0, 90)).size).toBe(34);
  const times = [90, 91, 92, 93, 94, 95].map(place => order.filter(drawn => drawn === place).length);
  expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
  expect(balancedOrder(shares, 1, 0)).toEqual(order);
  expect(balancedOrder(shares, 1, 1)).not.toEqual(order);
});

it('over epochs a balanced order comes to every patch', () => {
  const shares = [...Array<number>(50).fill(0), ...Array<number>(5).fill(1)];
  const seen = new Set(Array.from({ length: 12 }, (_, epoch) => balancedOrder(shares, 3, epoch)).flat());
  expect(seen.size).toBe(55);
});

it('seeds differ by each of their parts, and by their order', () => {
  const seeds = [seedOf(1, 2, 3), seedOf(1, 2, 4), seedOf(1, 3, 2), seedOf(2, 1, 3), seedOf(1, 2), seedOf()];
  expect(new Set(seeds).size).toBe(seeds.length);
  expect(seedOf(1, 2, 3)).toBe(seeds[0]);
});
