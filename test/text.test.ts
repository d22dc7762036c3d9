import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readAnnotations } from '#src/evaluate/annotation/read-annotations.js';
import { findLayout } from '#src/evaluate/layout.js';
import { readSplit } from '#src/evaluate/split.js';
import { PARAMETERS, readParameters } from '#src/slide/fields/parameters.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { decodePercent, decodeText, printable, withoutFolders, wrapped } from '#src/text.js';
import { scratch } from './slide/fixture.js';

const MARK = '\uFEFF';

const files = scratch();
afterAll(() => files.remove());

/** Reads a file as it is and with a byte order mark first; both must come to the same. */
async function bothWays(name: string, text: string, read: (path: string) => unknown): Promise<unknown> {
  const path = files.write(name, Buffer.from(text));
  const plain = await read(path);
  writeFileSync(path, MARK + text);
  expect(readFileSync(path).subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
  expect(await read(path)).toEqual(plain);
  return plain;
}

describe('decodeText', () => {
  it('gives any text back, less one mark at its start', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        const wanted = text.startsWith(MARK) ? text.slice(1) : text;
        expect(decodeText(Buffer.from(text))).toBe(wanted);
        expect(decodeText(Buffer.from(MARK + text))).toBe(text);
      }),
    ));
});

describe('decodePercent', () => {
  it('gives every text back, a mark at its start too', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(decodePercent(encodeURIComponent(MARK + text))).toBe(MARK + text);
      }),
    ));
});

describe('printable', () => {
  it('lets nothing out that steers a terminal; line breaks and tabs become what is wanted', () => {
    const text = 'a\u001b[2J\u202eb\n\tc\u2028';
    expect(printable(text)).toBe('a·[2J·b··c·');
    expect(printable(text, () => ' ')).toBe('a·[2J·b  c·');
    expect(printable(text, blank => blank)).toBe('a·[2J·b\n\tc·');
  });
});

describe('a byte order mark, as programs on Windows write it, is no damage', () => {
  it('in manifest.json, .dzi and acquisition parameters', async () => {
    const manifest = { mpp: 0.5, width: 20, height: 10, tileWidth: 8, tileHeight: 8, pattern: 'X{col}Y{row}.jpg' };
    expect(await bothWays('manifest.json', JSON.stringify(manifest), readTileSet)).toMatchObject({
      levels: [{ width: 20 }],
    });
    const dzi =
      '<?xml version="1.0"?><Image TileSize="254" Overlap="1" Format="jpg"><Size Width="500" Height="300"/></Image>';
    expect(await bothWays('slide.dzi', dzi, readTileSet)).toMatchObject({
      levels: [{ width: 500 }, { width: 250 }],
    });
    const read = () => readParameters(files.path('.'));
    expect(await bothWays(PARAMETERS, JSON.stringify({ Nx: 3, Ny: 4, Nz: 2 }), read)).toMatchObject({
      planes: 2,
      fields: 12,
    });
  });

  it('in annotations, split files and labels.json', async () => {
    const ring = [
      [0, 0],
      [9, 0],
      [9, 9],
      [0, 0],
    ];
    const feature = {
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: [ring] },
      properties: { classification: { name: 'Stroma' } },
    };
    const shapes = await bothWays(
      'a.geojson',
      JSON.stringify({ type: 'FeatureCollection', features: [feature] }),
      async path => (await readAnnotations(path)).shapes,
    );
    expect(shapes).toHaveLength(1);
    const split = {
      version: 1,
      by: 'patient',
      seed: 1,
      fractions: { train: 1, validation: 0, test: 0 },
      images: { a: { patient: 'p', split: 'train' } },
    };
    expect(await bothWays('split.json', JSON.stringify(split), readSplit)).toMatchObject({ by: 'patient' });
    for (const folder of ['images', 'masks']) mkdirSync(files.path(folder));
    files.write('images/a.png', Buffer.from(''));
    files.write('masks/a.png', Buffer.from(''));
    const layout = await bothWays('labels.json', JSON.stringify({ mpp: 0.7 }), path => findLayout(join(path, '..')));
    expect(JSON.stringify(layout)).toContain('0.7');
  });
});

it('breaks a text at spaces, loses no word and indents what follows', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 20, max: 80 }),
      fc.integer({ min: 0, max: 7 }),
      (words, width, indent) => {
        const lines = wrapped(words.join(' '), width, indent);
        expect(lines.flatMap(line => line.trim().split(' '))).toEqual(words);
        for (const [index, line] of lines.entries()) {
          expect(line.length).toBeLessThanOrEqual(width);
          if (index > 0) expect(line).toMatch(new RegExp(`^ {${indent}}\\S`));
        }
        // No line could have taken the first word of the next.
        for (let i = 1; i < lines.length; i++)
          expect(`${lines[i - 1]} ${lines[i]!.trim().split(' ')[0]}`.length).toBeGreaterThan(width);
      },
    ),
  );
  expect(wrapped(`a ${'x'.repeat(30)} b`, 10)).toEqual(['a', 'x'.repeat(30), 'b']);
});

it.each([
  ['/mnt/scanner/a b/x.svs: is no slide', 'x.svs: is no slide'],
  ['cannot read /etc/secret/key', 'cannot read key'],
  ['nats://127.0.0.1:4222 is away', 'nats://127.0.0.1:4222 is away'],
  ['read and/or write', 'read and/or write'],
])('%s without folders', (text, expected) => {
  expect(withoutFolders(text)).toBe(expected);
});
