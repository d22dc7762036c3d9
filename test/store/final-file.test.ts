import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { outputError, PARTIAL, writeFinal } from '#src/store/final-file.js';
import { failureOf } from '../slide/fixture.js';
import { temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const at = (name: string): string => join(folder.path, name);
const pieces = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array()), { maxLength: 12 });

describe('writeFinal', () => {
  it('puts text and bytes one behind the other, in the order they were given', () => {
    fc.assert(
      fc.property(pieces, given => {
        const written = writeFinal(folder.path, 'a', put => {
          for (const piece of given) put(piece);
          return given.length;
        });
        expect(written).toBe(given.length);
        const expected = Buffer.concat(given.map(piece => Buffer.from(piece as string)));
        expect(readFileSync(at('a')).equals(expected)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('writes text of any length whole, also where pieces are flushed', () => {
    const line = 'µ'.repeat(1000);
    writeFinal(folder.path, 'a', put => {
      for (let i = 0; i < 700; i++) put(`${i}${line}`);
      put(Buffer.from('end'));
    });
    const text = readFileSync(at('a'), 'utf8');
    expect(text).toBe(`${Array.from({ length: 700 }, (_, i) => `${i}${line}`).join('')}end`);
  });

  it('shows the old file until the new one is whole, and nothing else under its name', () => {
    writeFileSync(at('a'), 'old');
    writeFinal(folder.path, 'a', put => {
      put('x'.repeat(300_000));
      expect(readFileSync(at('a'), 'utf8')).toBe('old');
      put('y');
    });
    expect(readFileSync(at('a'), 'utf8')).toHaveLength(300_001);
    expect(readdirSync(at(PARTIAL))).toEqual([]);
  });

  it('leaves the old file and no partial one when writing fails, and hands a typed error on', async () => {
    writeFileSync(at('a'), 'old');
    const reason = new StromaflowError('TILE_CORRUPT', 'the polygons cannot be traced');
    const error = await failureOf(() =>
      writeFinal(folder.path, 'a', put => {
        put('half');
        throw reason;
      }),
    );
    expect(error).toBe(reason);
    expect(readFileSync(at('a'), 'utf8')).toBe('old');
    expect(readdirSync(at(PARTIAL))).toEqual([]);
  });

  it('writes a name in a folder below, by the folder for what is partial that it is given', () => {
    mkdirSync(at('0'));
    writeFinal(folder.path, '0/.zarray', put => put('{}'), at('elsewhere'));
    expect(readFileSync(at('0/.zarray'), 'utf8')).toBe('{}');
    expect([existsSync(at(PARTIAL)), readdirSync(at('elsewhere'))]).toEqual([false, []]);
  });

  it('says which file had no room, and which folder is not there', async () => {
    mkdirSync(at(PARTIAL));
    symlinkSync('/dev/full', at(`${PARTIAL}/a`));
    const full = await failureOf(() => writeFinal(folder.path, 'a', put => put('much')));
    expect([full.code, full.message]).toEqual(['OUTPUT_FULL', `${at('a')}: no space left on device`]);
    rmSync(at(PARTIAL), { recursive: true });
    const gone = await failureOf(() => writeFinal(folder.path, 'no/a', put => put('x')));
    expect([gone.code, gone.message]).toEqual(['OUTPUT_FAILED', expect.stringContaining(at('no/a'))]);
    expect(readdirSync(at(PARTIAL))).toEqual([]);
  });
});

describe('outputError', () => {
  it('leaves errors that have a code, and names the path in those that have none', () => {
    const known = new StromaflowError('OUTPUT_FULL', 'the disk of the ledger');
    expect(outputError(known, '/out/a')).toBe(known);
    const unknown = outputError(Object.assign(new Error('denied'), { code: 'EACCES' }), '/out/a');
    expect(unknown).toMatchObject({ code: 'OUTPUT_FAILED', message: expect.stringContaining('/out/a') });
    expect(unknown.message).toContain('denied');
    const full = outputError(
      Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
      '/b',
    );
    expect([full.code, full.message, full.cause]).toEqual([
      'OUTPUT_FULL',
      '/b: no space left on device',
      expect.anything(),
    ]);
  });
});
