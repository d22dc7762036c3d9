import fc from 'fast-check';
import { fromArrayBuffer } from 'geotiff';
import { describe, expect, it } from 'vitest';
import { encodeImage, encodeIndexEntry, encodePartHeader } from '#src/simulate/ndtiff-entry.js';
import { readIndex, readSummary } from '#src/slide/ndtiff/read-index.js';

const images = fc.array(
  fc.record({
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 9 }),
    grey: fc.nat(255),
    metadata: fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 9, unit: 'grapheme' }), { maxKeys: 3 }),
  }),
  { minLength: 1, maxLength: 5 },
);

/** A part of these images, and its index. */
function partOf(given: readonly { width: number; height: number; grey: number; metadata: object }[], summary: object) {
  const parts = [encodePartHeader(summary)];
  const entries: Buffer[] = [];
  let at = parts[0]!.length;
  for (const [index, { width, height, grey, metadata }] of given.entries()) {
    const rgb = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (grey + i) & 255));
    const image = encodeImage(at, width, height, rgb, metadata, index === given.length - 1);
    entries.push(
      encodeIndexEntry({ row: index, column: -index, z: 'top' }, `part ${index}`, [width, height], 2, image),
    );
    parts.push(image.bytes);
    at += image.bytes.length;
  }
  return { file: Buffer.concat(parts), index: Buffer.concat(entries) };
}

const greys = (grey: number, length: number) => Array.from({ length }, (_, i) => (grey + i) & 255);

describe('a part of an NDTiff data set', () => {
  it('is a TIFF that geotiff reads, image by image', () =>
    fc.assert(
      fc.asyncProperty(images, async given => {
        const { file } = partOf(given, { Width: 9 });
        const tiff = await fromArrayBuffer(
          file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer,
        );
        expect(await tiff.getImageCount()).toBe(given.length);
        for (const [index, { width, height, grey }] of given.entries()) {
          const image = await tiff.getImage(index);
          expect([image.getWidth(), image.getHeight()]).toEqual([width, height]);
          const rgb = (await image.readRasters({ interleave: true })) as unknown as Uint8Array;
          expect([...rgb]).toEqual(greys(grey, width * height * 3));
          expect(image.fileDirectory.hasTag(51_123)).toBe(true);
        }
      }),
      { numRuns: 30 },
    ));

  it('has its metadata where the index says, and its pixels', () => {
    fc.assert(
      fc.property(images, given => {
        const { file, index } = partOf(given, {});
        const entries = readIndex('index', index, 0);
        expect(entries.map(({ axes, file: name }) => [axes, name])).toEqual(
          given.map((_, i) => [{ row: i, column: i === 0 ? 0 : -i, z: 'top' }, `part ${i}`]),
        );
        for (const [i, { offset, width, height, type, compression, end }] of entries.entries()) {
          const image = given[i]!;
          expect([width, height, type, compression]).toEqual([image.width, image.height, 2, 0]);
          expect([...file.subarray(offset, offset + width * height * 3)]).toEqual(
            greys(image.grey, width * height * 3),
          );
          const [metadataAt, length] = [index.readUInt32LE(end - 12), index.readUInt32LE(end - 8)];
          expect(JSON.parse(file.toString('utf8', metadataAt, metadataAt + length))).toEqual(image.metadata);
          expect(file[metadataAt + length]).toBe(0);
        }
        expect(entries.at(-1)?.end).toBe(index.length);
      }),
    );
  });

  it('begins with a summary of any length, after which the first image lies on a word', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 40, unit: 'grapheme' }),
        fc.float({ min: Math.fround(0.01), max: 9, noNaN: true }),
        (text, mpp) => {
          const header = encodePartHeader({ Prefix: text, PixelSize_um: mpp });
          expect(header.length % 4).toBe(0);
          expect(header.readUInt32LE(4)).toBe(header.length);
          expect(readSummary('part', header)).toMatchObject({ mpp, size: undefined });
        },
      ),
    );
  });
});
