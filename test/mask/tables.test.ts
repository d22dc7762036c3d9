import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChainLinks } from '#src/mask/chain-links.js';
import { Chains, DOWN, LEFT, RIGHT, TURN_LEFT, TURN_RIGHT, TURN_TOUCHING, UP } from '#src/mask/chains.js';
import { Components } from '#src/mask/components.js';
import { growBytes, growDoubles, growInts } from '#src/mask/grow.js';
import { MaskPyramid } from '#src/mask/reduce.js';
import { RingBuilder, ringArea } from '#src/mask/rings.js';

describe('Grow', () => {
  it.each([
    ['bytes', growBytes, 251],
    ['ints', growInts, 0x7fff_fff1],
    ['doubles', growDoubles, 2 ** 53 - 1],
  ] as const)('of %s keeps what was pushed however often it grows, and starts again', (_, make, most) => {
    const list = make();
    const value = (i: number) => (i * 7919) % most;
    for (let i = 0; i < 5000; i++) expect(list.push(value(i))).toBe(i);
    expect(list.length).toBe(5000);
    expect([...list.data.subarray(0, 5000)]).toEqual(Array.from({ length: 5000 }, (__, i) => value(i)));
    list.clear();
    expect(list.length).toBe(0);
    expect(list.push(3)).toBe(0);
    expect(list.data[0]).toBe(3);
  });
});

describe('Components', () => {
  it('join as sets do, each with the smallest key and the last row of its members, in whatever order they are joined', () => {
    const input = fc.record({
      keys: fc.uniqueArray(fc.nat(10 ** 9), { minLength: 1, maxLength: 40 }),
      joins: fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 60 }),
    });
    fc.assert(
      fc.property(input, ({ keys, joins }) => {
        const components = new Components();
        for (const [i, key] of keys.entries()) expect(components.add(key, key % 7)).toBe(i);
        let sets = keys.map((_, i) => new Set([i]));
        for (const [a, b] of joins.map(pair => pair.map(i => i % keys.length) as [number, number])) {
          components.union(a, b);
          const [sa, sb] = [a, b].map(i => sets.find(set => set.has(i))!) as [Set<number>, Set<number>];
          if (sa !== sb) sets = [...sets.filter(set => set !== sa && set !== sb), new Set([...sa, ...sb])];
        }
        expect(components.size).toBe(keys.length);
        for (const set of sets) {
          const smallest = Math.min(...[...set].map(i => keys[i]!));
          for (const i of set) expect(components.key(i)).toBe(smallest);
          const last = Math.max(...[...set].map(i => keys[i]! % 7));
          for (const i of set) expect(components.row(i)).toBe(last);
          expect(new Set([...set].map(i => components.find(i))).size).toBe(1);
        }
        expect(new Set(keys.map((_, i) => components.find(i))).size).toBe(sets.length);
      }),
    );
  });
});

describe('Chains', () => {
  const edges = fc.array(
    fc.record({
      length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(31, 32, 4095, 4096, 524_287, 524_288, 2 ** 28)),
      turn: fc.constantFrom(TURN_LEFT, TURN_RIGHT, TURN_TOUCHING),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const chain = fc.record({ edges, heading: fc.constantFrom(RIGHT, DOWN, LEFT, UP), closed: fc.boolean() });

  it('are walked as they were written, lengths of one byte to five', () => {
    fc.assert(
      fc.property(fc.array(chain, { minLength: 1, maxLength: 8 }), list => {
        const chains = new Chains(1_000_001);
        for (const [i, { edges: own, heading, closed }] of list.entries()) {
          chains.begin(i, 2 * i, heading, 100 + i);
          for (const { length, turn } of own) chains.edge(length, turn);
          if (closed) chains.endClosed();
          else chains.end(i + 1, i, (heading + 3) & 3);
        }
        expect(chains.length).toBe(list.length);
        for (const [i, { edges: own, heading, closed }] of list.entries()) {
          const walked: unknown[] = [];
          chains.walk(i, (at, length, turn) => walked.push([at, length, turn]));
          let at = heading as number;
          const expected = own.map(({ length, turn }) => {
            const entry = [at, length, turn];
            at = (at + (turn === TURN_LEFT ? 3 : 1)) % 4;
            return entry;
          });
          expect(walked).toEqual(expected);
          expect([chains.isClosed(i), chains.startKey(i), chains.component(i), chains.firstHeading(i)]).toEqual([
            closed,
            2 * i * 1_000_001 + i,
            100 + i,
            heading,
          ]);
          if (!closed)
            expect([chains.endKey(i), chains.lastHeading(i)]).toEqual([i * 1_000_002 + 1, (heading + 3) & 3]);
        }
      }),
    );
  });
});

describe('ChainLinks', () => {
  /** A chain of one edge. */
  function put(chains: Chains, from: readonly [number, number], to: readonly [number, number], heading: number): void {
    chains.begin(...from, heading, 0);
    chains.edge(Math.abs(to[0] - from[0]) + Math.abs(to[1] - from[1]), 0);
    chains.end(...to, heading);
  }

  it('turn right where two boundaries pass one point, and know such points', () => {
    const chains = new Chains(100);
    put(chains, [5, 2], [5, 5], DOWN);
    put(chains, [5, 5], [9, 5], RIGHT);
    put(chains, [5, 5], [1, 5], LEFT);
    const links = new ChainLinks(
      chains,
      Int32Array.from({ length: chains.length }, (_, i) => i),
    );
    expect(links.next(0)).toBe(2);
    expect([links.touching(5 * 100 + 5), links.touching(2 * 100 + 5), links.touching(0)]).toEqual([true, false, false]);
  });

  it('do not go on from a boundary that ends in the open', () => {
    const chains = new Chains(100);
    put(chains, [0, 0], [4, 0], RIGHT);
    expect(() =>
      new ChainLinks(
        chains,
        Int32Array.from({ length: chains.length }, (_, i) => i),
      ).next(0),
    ).toThrow('in the open');
  });

  it('find each of many starting points among tens of thousands, far apart as on a slide', () => {
    const width = 400_001;
    const chains = new Chains(width);
    const place = (i: number): [number, number] => [(i * 7919) % 400_000, (i * 104_729) % 300_000];
    const many = 20_000;
    for (let i = 0; i < many; i++) put(chains, place(i), place((i + 1) % many), RIGHT);
    const links = new ChainLinks(
      chains,
      Int32Array.from({ length: chains.length }, (_, i) => i),
    );
    for (let i = 0; i < many; i++) expect(links.next(i)).toBe((i + 1) % many);
  });
});

describe('RingBuilder', () => {
  it('joins straight edges, also over the place where the boundary began', () => {
    const builder = new RingBuilder();
    builder.begin(2, 0);
    for (const [heading, length] of [
      [RIGHT, 1],
      [RIGHT, 1],
      [DOWN, 3],
      [LEFT, 4],
      [UP, 3],
      [RIGHT, 2],
    ] as const)
      builder.edge(heading, length, false);
    const [ring, ...others] = builder.rings(false);
    expect([[...ring!], others]).toEqual([[0, 0, 4, 0, 4, 3, 0, 3], []]);
    expect(ringArea(ring!)).toBe(12);
    expect(ringArea(Int32Array.from([0, 0, 0, 3, 4, 3, 4, 0]))).toBe(-12);
  });
});

describe('MaskPyramid', () => {
  it('counts a full block of its coarsest level, and refuses one that its counts do not hold', () => {
    const pyramid = new MaskPyramid(128, 8);
    pyramid.load(new Uint8Array(128 * 16).fill(0xff), 128, 128);
    expect([...pyramid.counts(7)]).toEqual([128 * 128]);
    expect(() => new MaskPyramid(256, 9)).toThrow(RangeError);
  });

  it('takes exactly half for stroma, and less for none', () => {
    const pyramid = new MaskPyramid(32, 2);
    for (const [row, expected] of [
      [[0b10000000, 0b10000000], 1],
      [[0b10000000, 0], 0],
      [[0b11000000, 0b10000000], 1],
    ] as const) {
      const bits = new Uint8Array(32 * 4);
      [bits[0], bits[4]] = row;
      pyramid.load(bits, 32, 32);
      expect(pyramid.raster(1)[0]).toBe(expected);
    }
    // A block of which one column lies on the slide is judged by that column.
    const bits = new Uint8Array(32 * 4);
    bits[0] = 0b10000000;
    pyramid.load(bits, 1, 32);
    expect(pyramid.raster(1)[0]).toBe(1);
  });
});
