import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { KERNELS } from '#src/read/kernels.js';
import { PixelMemory } from '#src/read/pixel-memory.js';

describe('kernels.ts', () => {
  it('holds kernels.wat, assembled', async () => {
    const source = new URL('../../src/read/kernels.wat', import.meta.url);
    const { parseWat } = await wabt();
    const module = parseWat('kernels.wat', readFileSync(source, 'utf8'), { simd: true, bulk_memory: true });
    // After a change to kernels.wat, the string this prints on failure belongs into kernels.ts.
    expect(Buffer.from(module.toBinary({}).buffer).toString('base64')).toBe(KERNELS);
  });
});

describe('PixelMemory', () => {
  it('keeps an area where it is until it must grow, apart from all others', () => {
    const memory = new PixelMemory();
    const first = memory.area('first', 1000);
    const second = memory.area('second', 70_000);
    expect(memory.area('first', 900)).toBe(first);
    expect(Math.abs(second - first)).toBeGreaterThanOrEqual(1000);
    expect(first % 16).toBe(0);
    const larger = memory.area('first', 200_000);
    expect(larger).toBeGreaterThanOrEqual(second + 70_000);
    memory.bytes(second, 70_000).fill(7);
    memory.bytes(larger, 200_000).fill(9);
    expect(memory.bytes(second, 70_000).every(value => value === 7)).toBe(true);
  });
});

describe('copy and fill', () => {
  it('move rectangles and nothing around them', () => {
    const memory = new PixelMemory();
    const from = memory.area('from', 100);
    const to = memory.area('to', 200);
    memory.bytes(from, 100).forEach((_, i, bytes) => {
      bytes[i] = i;
    });
    memory.bytes(to, 200).fill(255);
    memory.kernels.copy(to + 21, 20, from + 33, 10, 4, 3);
    memory.kernels.fill(to + 101, 20, 2, 2, 9);
    memory.kernels.copy(to, 20, from, 10, 4, 0);
    memory.kernels.fill(to, 20, 2, 0, 9);
    const expected = new Uint8Array(200).fill(255);
    for (let row = 0; row < 3; row++) for (let i = 0; i < 4; i++) expected[21 + row * 20 + i] = 33 + row * 10 + i;
    for (const at of [101, 102, 121, 122]) expected[at] = 9;
    expect(memory.bytes(to, 200)).toEqual(expected);
  });
});

describe('reduce', () => {
  it.each([0, 2, 4])('sums blocks and averages squares of %s pixels', factor => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 7 }), fc.nat(), (blocks, margin, seed) => {
        const side = blocks * 8;
        const stride = (side + margin * 2) * 3;
        const memory = new PixelMemory();
        const patch = memory.area('patch', stride * (side + margin * 2));
        const sumsAt = memory.area('sums', blocks * blocks * 6);
        const means = factor ? (side / factor) ** 2 * 3 : 0;
        const meansAt = memory.area('means', means + 8);
        const pixels = memory.bytes(patch, stride * (side + margin * 2));
        for (let i = 0, value = seed; i < pixels.length; i++) {
          value = (value * 1_103_515_245 + 12_345) & 0x7fffffff;
          pixels[i] = seed % 5 === 0 ? 255 : value >> 16;
        }
        memory.bytes(meansAt, means + 8).fill(200);
        const start = margin * stride + margin * 3;
        memory.kernels.reduce(patch + start, stride, blocks, sumsAt, meansAt, factor);
        const sum = (x: number, y: number, size: number, channel: number) => {
          let total = 0;
          for (let row = y; row < y + size; row++)
            for (let col = x; col < x + size; col++) total += pixels[start + row * stride + col * 3 + channel]!;
          return total;
        };
        const sums: number[] = [];
        for (let y = 0; y < side; y += 8)
          for (let x = 0; x < side; x += 8) for (let c = 0; c < 3; c++) sums.push(sum(x, y, 8, c));
        expect([...memory.shorts(sumsAt, blocks * blocks * 3)]).toEqual(sums);
        const averages: number[] = [];
        if (factor)
          for (let y = 0; y < side; y += factor)
            for (let x = 0; x < side; x += factor)
              for (let c = 0; c < 3; c++)
                averages.push(Math.floor((sum(x, y, factor, c) + factor ** 2 / 2) / factor ** 2));
        expect([...memory.bytes(meansAt, means)]).toEqual(averages);
        // Nothing is written past the end.
        expect([...memory.bytes(meansAt + means, 8)]).toEqual(new Array(8).fill(200));
      }),
      { numRuns: 40 },
    );
  });
});

describe('halve', () => {
  it('averages squares of 2 × 2 pixels, halves up, and writes nothing else', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 21 }),
        fc.nat({ max: 6 }),
        fc.nat({ max: 9 }),
        fc.nat(),
        (count, rows, gap, seed) => {
          const memory = new PixelMemory();
          const fromBytes = count * 2 * rows * 2 * 3;
          const from = memory.area('from', fromBytes);
          const toStride = count * 3 + gap;
          const to = memory.area('to', toStride * rows + 16);
          const pixels = memory.bytes(from, fromBytes);
          for (let i = 0, value = seed; i < pixels.length; i++) {
            value = (value * 1_103_515_245 + 12_345) & 0x7fffffff;
            pixels[i] = seed % 5 === 0 ? 255 : value >> 16;
          }
          const expected = new Uint8Array(toStride * rows + 16).fill(77);
          memory.bytes(to, expected.length).fill(77);
          memory.kernels.halve(to, toStride, from, count, rows);
          const at = (x: number, y: number, c: number) => pixels[(y * count * 2 + x) * 3 + c]!;
          for (let y = 0; y < rows; y++)
            for (let x = 0; x < count; x++)
              for (let c = 0; c < 3; c++) {
                const [u, v] = [x * 2, y * 2];
                const sum = at(u, v, c) + at(u + 1, v, c) + at(u, v + 1, c) + at(u + 1, v + 1, c);
                expected[y * toStride + x * 3 + c] = Math.floor(sum / 4 + 0.5);
              }
          expect(memory.bytes(to, expected.length)).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});
