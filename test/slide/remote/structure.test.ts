import { closeSync, openSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseFetched } from '#src/slide/remote/structure.js';
import { readTiffFacts } from '#src/slide/tiff/open-tiff.js';
import { readBytes } from '#src/slide/tiff/probe.js';
import { failureOf, SLIDE } from '../fixture.js';

const BYTES = readFileSync(SLIDE);

function fetching() {
  const rounds: (readonly { offset: number; length: number }[])[] = [];
  const fetch = async (parts: readonly { offset: number; length: number }[]) => {
    rounds.push(parts);
    return parts.map(({ offset, length }) => BYTES.subarray(offset, offset + length));
  };
  return { rounds, fetch };
}

it('finds what a reader of the file finds, with little of it', async () => {
  const { rounds, fetch } = fetching();
  const parse = (bytes: Parameters<typeof readTiffFacts>[0]) => readTiffFacts(bytes, SLIDE, BYTES.length);
  const found = await parseFetched('a.svs', BYTES.length, fetch, parse);
  const fd = openSync(SLIDE, 'r');
  const { describe: _, stored: __, ...expected } = readTiffFacts(fd, SLIDE, BYTES.length);
  closeSync(fd);
  expect(found).toMatchObject(expected);
  const fetched = rounds.flat().reduce((sum, { length }) => sum + length, 0);
  expect(fetched).toBeLessThan(BYTES.length / 20);
});

it('believes nothing that was said while bytes were missing, neither a value nor a failure', async () => {
  const { rounds, fetch } = fetching();
  let tries = 0;
  const value = await parseFetched('a.svs', BYTES.length, fetch, bytes => {
    tries += 1;
    try {
      return readBytes(bytes, 10, 4).toString('hex');
    } catch {
      // As a parser does that takes every failure for damage.
      if (tries === 1) return 'nothing there';
      throw new Error('damaged');
    }
  });
  expect([value, tries]).toEqual([BYTES.subarray(10, 14).toString('hex'), 2]);
  expect(rounds).toEqual([[{ offset: 10, length: 4 }]]);
});

it('gives what is there at the end of the file, and passes failures on', async () => {
  const size = BYTES.length;
  const { fetch } = fetching();
  const end = await parseFetched('a.svs', size, fetch, bytes => [
    readBytes(bytes, size - 2, 10).length,
    readBytes(bytes, size + 5, 10).length,
    readBytes(bytes, 3, 0).length,
  ]);
  expect(end).toEqual([2, 0, 0]);
  await expect(
    parseFetched('a.svs', size, fetch, () => {
      throw new Error('damaged');
    }),
  ).rejects.toThrow('damaged');
});

it('asks for no more than directories take', async () => {
  let offset = 0;
  const failure = await failureOf(() =>
    parseFetched(
      'a.svs',
      2 ** 40,
      async parts => parts.map(() => new Uint8Array(1)),
      bytes => {
        offset += 2 ** 26;
        return readBytes(bytes, offset, 2 ** 26);
      },
    ),
  );
  expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(/more than 256 MB/) });
});
