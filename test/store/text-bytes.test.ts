import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextBytes } from '#src/store/text-bytes.js';

const written = (write: (text: TextBytes) => void): string => {
  const text = new TextBytes();
  write(text);
  return Buffer.from(text.bytes).toString();
};

describe('TextBytes', () => {
  it('writes hundredths as JSON does', () => {
    const value = fc.oneof(
      fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      fc.integer({ min: -20_000, max: 20_000 }),
      // Where whole numbers of 32 bits end.
      fc.integer({ min: -300, max: 300 }).map(more => 2 ** 31 + more),
      fc.integer({ min: -300, max: 300 }).map(more => 100 * 2 ** 31 + more),
    );
    fc.assert(
      fc.property(value, hundredths => {
        expect(written(text => text.hundredths(hundredths))).toBe(JSON.stringify(hundredths / 100));
      }),
      { numRuns: 2000 },
    );
  });

  it('writes −0 as 0', () => expect(written(text => text.hundredths(-0))).toBe('0'));

  it('grows, keeps what was there, and counts bytes, not characters', () => {
    const parts = Array.from({ length: 9000 }, (_, i) => `${i} µm² `);
    const text = new TextBytes();
    for (const part of parts) text.text(part);
    expect(Buffer.from(text.bytes).toString()).toBe(parts.join(''));
    expect(text.length).toBe(Buffer.byteLength(parts.join('')));
  });

  it('begins anew, also after a text of many megabytes', () => {
    const text = new TextBytes();
    const long = 'x'.repeat(1 << 20);
    for (let i = 0; i < 20; i++) text.text(long);
    text.clear();
    text.text('short');
    text.char(0x21);
    expect(Buffer.from(text.bytes).toString()).toBe('short!');
  });
});
