import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromFile } from 'geotiff';
import { lastValueFrom, of } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { segmentSlides } from '#pipelines/segment.js';
import type { Config } from '#src/config/options.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { ByteReader, bufferBytes } from '#src/slide/dicom/byte-reader.js';
import { readDataSet, type Wanted } from '#src/slide/dicom/data-set.js';
import { readInstance } from '#src/slide/dicom/instance.js';
import { readMeta } from '#src/slide/dicom/meta.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { asInt32, asNumbers, asText, asUint16, asUint32 } from '#src/slide/dicom/values.js';
import { openSlide } from '#src/slide/open.js';
import { openSlideOutput } from '#src/store/output.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { storedMask } from '../view/viewing.js';
import { maskedSlide, temporaryFolder } from './slide-fixture.js';

let base: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  base = temporaryFolder();
});
afterEach(() => base.remove());

describe('mask.tif', () => {
  it.each([
    { width: 1500, height: 700, core: 64 },
    { width: 1210, height: 90, core: 96 },
    { width: 50, height: 40, core: 64 },
  ])('is the mask at every resolution, with 2 for stroma, at the mask’s spacing: %o', async size => {
    const slide = maskedSlide(size);
    const folder = join(base.path, 'slide_1');
    const output = await openSlideOutput({
      ...{ folder, slide: slide.info, plan: slide.plan, overview: slide.canvas, fresh: true, maskTiff: true },
    });
    for (const { ref, record, mask } of slide.patches) await output.patch(ref, record, mask);
    await output.finish(slide.summary);
    const tiff = await fromFile(join(folder, 'mask.tif'));
    const count = await tiff.getImageCount();
    expect(count).toBeGreaterThan(0);
    for (let level = 0; level < count; level++) {
      const image = await tiff.getImage(level);
      const stored = await storedMask(base.path, 'slide_1', level);
      expect([image.getWidth(), image.getHeight()]).toEqual([stored.width, stored.height]);
      const [pixels] = (await image.readRasters()) as unknown as [Uint8Array];
      expect(Buffer.compare(Buffer.from(pixels), Buffer.from(stored.data.map(pixel => pixel * 2)))).toBe(0);
      const [perCentimetre, of] = (await image.fileDirectory.loadValue('XResolution')) as unknown as [number, number];
      expect((1e4 * of) / perCentimetre).toBeCloseTo(slide.plan.mpp * 2 ** level, 4);
    }
    expect((await readdir(join(folder, '.partial')).catch(() => [])).length).toBe(0);
  });
});

/** What a reader needs of a segmentation, by our own reader of data sets. */
function readSegmentation(path: string) {
  const bytes = readFileSync(path);
  const source = bufferBytes(path, bytes);
  const meta = readMeta(source);
  const reader = new ByteReader(source, meta.end);
  const text: Record<string, string> = {};
  const numbers: Record<string, number> = {};
  const places: [col: number, row: number][] = [];
  const codes: string[] = [];
  const references: string[] = [];
  let spacing: number[] = [];
  let pixelsAt = 0;
  const keep = (name: keyof typeof TAG) => ({
    [TAG[name]]: (value: Buffer) => {
      text[name] = asText(value);
    },
  });
  const number = (name: string, of: (value: Buffer) => number) => (value: Buffer) => {
    numbers[name] = of(value);
  };
  const code = (): Wanted => ({ values: { [TAG.codeValue]: value => void codes.push(asText(value)) } });
  const wanted: Wanted = {
    values: {
      ...keep('sopClassUid'),
      ...keep('studyInstanceUid'),
      ...keep('frameOfReferenceUid'),
      ...keep('dimensionOrganizationType'),
      ...keep('segmentationType'),
      ...keep('patientName'),
      ...keep('patientId'),
      ...keep('numberOfFrames'),
      [TAG.bitsAllocated]: number('bits', asUint16),
      [TAG.rows]: number('side', asUint16),
      [TAG.totalPixelMatrixColumns]: number('width', asUint32),
      [TAG.totalPixelMatrixRows]: number('height', asUint32),
    },
    sequences: {
      [TAG.segmentSequence]: () => ({
        sequences: {
          [TAG.segmentedPropertyCategoryCodeSequence]: code,
          [TAG.segmentedPropertyTypeCodeSequence]: code,
        },
      }),
      [TAG.referencedSeriesSequence]: () => ({
        values: {
          [TAG.seriesInstanceUid]: value => {
            text['series'] = asText(value);
          },
        },
        sequences: {
          [TAG.referencedInstanceSequence]: () => ({
            values: { [TAG.referencedSopInstanceUid]: value => void references.push(asText(value)) },
          }),
        },
      }),
      [TAG.sharedFunctionalGroupsSequence]: () => ({
        sequences: {
          [TAG.pixelMeasuresSequence]: () => ({
            values: {
              [TAG.pixelSpacing]: value => {
                spacing = asNumbers(value);
              },
            },
          }),
        },
      }),
      [TAG.perFrameFunctionalGroupsSequence]: index => ({
        sequences: {
          [TAG.planePositionSlideSequence]: () => ({
            values: {
              [TAG.columnPositionInTotalImagePixelMatrix]: value => {
                places[index] = [asInt32(value), 0];
              },
              [TAG.rowPositionInTotalImagePixelMatrix]: value => {
                places[index]![1] = asInt32(value);
              },
            },
          }),
        },
      }),
    },
  };
  const stopAt = ({ tag }: { tag: number }): boolean => {
    if (tag === TAG.pixelData) pixelsAt = reader.position;
    return tag === TAG.pixelData;
  };
  readDataSet(reader, bytes.length, wanted, { explicit: true, stopAt });
  const { side, width, height } = numbers as { side: number; width: number; height: number };
  const pixels = new Uint8Array(width * height);
  const cols = Math.ceil(width / side);
  for (let frame = 0; frame < Number(text['numberOfFrames']); frame++) {
    const [left, top] = places[frame] ?? [(frame % cols) * side + 1, Math.floor(frame / cols) * side + 1];
    for (let i = 0; i < side * side; i++) {
      const [x, y] = [left - 1 + (i % side), top - 1 + Math.floor(i / side)];
      const bit = frame * side * side + i;
      if (x < width && y < height) pixels[y * width + x] = (bytes[pixelsAt + (bit >> 3)]! >> (bit & 7)) & 1;
    }
  }
  return { ...{ meta, text, codes, references, spacing, width, height, pixels, bits: numbers['bits'] } };
}

async function segmentDicom(
  config: Partial<Config>,
): Promise<{ out: string; folder: string; notes: { code: string }[] }> {
  const folder = await emptyFolder();
  const { path } = await simulateScan(SLIDE, folder, { as: 'dicom', order: 'rows', rate: 0, partTiles: 0 });
  const out = await emptyFolder();
  const parts = await partsWith({ out, ...config });
  try {
    const open = () => openSlide(path, { id: 'slide' });
    await lastValueFrom(segmentSlides(of({ path, id: 'slide', open }), parts, new AbortController().signal));
  } finally {
    await parts.close();
  }
  const { notes } = JSON.parse(readFileSync(join(out, 'slide/summary.json'), 'utf8'));
  return { out, folder: path, notes };
}

describe('mask.dicom', () => {
  it.each([
    ['TILED_FULL', {}],
    ['TILED_SPARSE', { 'tissue-fraction': 0.55 }],
  ] as const)('is the mask, %s, of the very slide, and names no patient', async (organization, config) => {
    const { out, folder } = await segmentDicom(config);
    const source = readInstance(join(folder, 'level-0.dcm'))!;
    const found = readSegmentation(join(out, 'slide/mask.dicom/level-0.dcm'));
    const stored = await storedMask(out, 'slide', 0);
    expect([found.width, found.height]).toEqual([stored.width, stored.height]);
    expect(Buffer.compare(Buffer.from(found.pixels), Buffer.from(stored.data))).toBe(0);
    expect(found.text).toMatchObject({
      sopClassUid: '1.2.840.10008.5.1.4.1.1.66.4',
      dimensionOrganizationType: organization,
      segmentationType: 'BINARY',
      series: source.facts.series,
      frameOfReferenceUid: source.facts.frameOfReference,
      ...{ patientName: '', patientId: '' },
    });
    expect(found.bits).toBe(1);
    expect(found.codes).toEqual(['85756007', '21793004']);
    expect(found.references).toEqual([source.facts.instance]);
    expect(found.spacing[0]! * 1000).toBeCloseTo(source.spacing!.y, 6);
  });

  it('is left out, with a note, where the spacing of the masks is no level’s, and where nobody wants it', async () => {
    const between = await segmentDicom({ spacing: 0.75 });
    expect(between.notes.map(({ code }) => code)).toContain('output-left-out');
    const none = await segmentDicom({ 'dicom-seg': 'off' });
    expect(none.notes.map(({ code }) => code)).not.toContain('output-left-out');
    for (const { out } of [between, none]) expect(await readdir(join(out, 'slide'))).not.toContain('mask.dicom');
  });
});
