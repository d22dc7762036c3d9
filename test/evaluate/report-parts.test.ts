import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { packLabels } from '#src/evaluate/patch-labels.js';
import { PatchSpool } from '#src/evaluate/patch-spool.js';
import { chooseExamples } from '#src/evaluate/report/examples.js';
import { escapeText, fixed, grouped, percent, withInterval } from '#src/evaluate/report/markup.js';
import { drawPatch, FALSE_NEGATIVE, FALSE_POSITIVE } from '#src/evaluate/report/pictures.js';
import { readCorePixels } from '#src/evaluate/report/read-pixels.js';
import { frameOf, line, niceAxis, plotOf } from '#src/evaluate/report/svg.js';
import type { PatchScore } from '#src/evaluate/tally.js';
import { planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { bitsOf } from './formula-masks.js';
import { TIGER } from './replayed-fixture.js';
import { scratch } from './set-builder.js';

describe('markup', () => {
  it('leaves nothing that HTML would take for markup', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        const escaped = escapeText(text);
        expect(escaped).not.toMatch(/[<>"']/);
        const back = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" } as Record<string, string>;
        expect(escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, entity => back[entity]!)).toBe(text);
      }),
    );
  });

  it('prints numbers as people read them', () => {
    expect([fixed(0.12345), fixed(-0.0001), fixed(Number.NaN), fixed(null)]).toEqual(['0.123', '0.000', '–', '–']);
    expect([percent(0.1234, 1, true), percent(-0.5), percent(Number.NaN)]).toEqual(['+12.3 %', '−50.0 %', '–']);
    expect([grouped(999), grouped(1234567)]).toEqual(['999', '1,234,567']);
    expect(withInterval({ value: 0.5, lower: 0.4, upper: 0.6 })).toBe('0.500 <span class="ci">(0.400–0.600)</span>');
    expect(withInterval({ value: 0.5, lower: -0.4, upper: 0.6 })).toContain('(−0.400 to 0.600)');
    expect(withInterval({ value: 0.5, lower: Number.NaN, upper: Number.NaN })).toBe('0.500');
  });
});

describe('svg', () => {
  it('has round ticks that cover the values', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 20 }), values => {
        const { from, to, ticks } = niceAxis(values, '', String);
        expect(ticks.length).toBeGreaterThan(1);
        expect(ticks.length).toBeLessThan(12);
        expect([...ticks].sort((a, b) => a - b)).toEqual(ticks);
        const slack = (to - from) * 1e-6;
        for (const value of values) {
          expect(value).toBeGreaterThanOrEqual(from - slack);
          expect(value).toBeLessThanOrEqual(to + slack);
        }
      }),
    );
    expect(niceAxis([0, 0.43], '', String).ticks).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  });

  it('maps data to the frame, and breaks lines where a value is undefined', () => {
    const plot = plotOf(
      frameOf(100, 100, { left: 10, right: 10, top: 10, bottom: 10 }),
      { from: 0, to: 1 },
      { from: 0, to: 1 },
    );
    expect([plot.x(0), plot.x(1), plot.y(0), plot.y(1)]).toEqual([10, 90, 90, 10]);
    const path = line(
      plot,
      [
        [0, 0],
        [0.5, Number.NaN],
        [1, 1],
      ],
      'red',
    );
    expect(path).toContain('d="M10 90M90 10"');
  });
});

describe('drawPatch', () => {
  it('colours what is wrong, fades what is not stroma, hatches what is ignored, and cuts padding off', async () => {
    const map = parseLabelMap({ positive: '2', ignore: '0', negative: '7' });
    const [side, width, height] = [64, 64, 32];
    const values = new Uint8Array(side * side);
    for (let i = 0; i < side * side; i++) values[i] = i % side < 16 ? 0 : i % side < 40 ? 2 : 7;
    const mask = new Uint8Array(side * side);
    for (let i = 0; i < side * side; i++) mask[i] = i % side >= 28 && i % side < 52 ? 1 : 0;
    const labels = packLabels(values, side, width, height, map);
    const rgb = new Uint8Array(side * side * 3).fill(120);
    const pictures = await drawPatch({ rgb, labels }, [bitsOf(mask, [1])]);
    const at = async (uri: string, x: number) => {
      const { data, info } = await sharp(Buffer.from(uri.split(',')[1]!, 'base64'))
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(info.width / info.height).toBeCloseTo(width / height, 1);
      const i = (Math.floor(info.height / 2) * info.width + Math.floor(((x + 0.5) / width) * info.width)) * 3;
      return [data[i]!, data[i + 1]!, data[i + 2]!];
    };
    const [model] = pictures.models;
    const near = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]!), 0);
    const [missed, extra] = [await at(model!.errors, 22), await at(model!.errors, 46)];
    expect(near(missed, FALSE_NEGATIVE)).toBeLessThan(near(missed, FALSE_POSITIVE));
    expect(near(extra, FALSE_POSITIVE)).toBeLessThan(near(extra, FALSE_NEGATIVE));
    expect(near(await at(pictures.image, 46), [120, 120, 120])).toBeLessThan(12);
    expect(near(await at(model!.mask, 36), [120, 120, 120])).toBeLessThan(20);
    expect((await at(model!.mask, 60))[0]).toBeGreaterThan(180);
  });
});

describe('readCorePixels', () => {
  it('gives the slide’s pixels, white outside', async () => {
    const { info, source } = await openSlide(join(TIGER, 'wsirois/wsi-level-annotations/images/901S.tif'));
    const tiles = await openTileSource(source);
    const plan = planPatches(info, { patchSize: 96 });
    const pixels = await readCorePixels(tiles, plan, 3, 2);
    const tile = new Uint8Array(128 * 128 * 3);
    await tiles.readTile(0, 2, 1, tile);
    // Plan pixel (288, 192) is tile (2, 1)'s pixel (32, 64).
    expect([...pixels.subarray(0, 3)]).toEqual([...tile.subarray((64 * 128 + 32) * 3, (64 * 128 + 32) * 3 + 3)]);
    expect([...pixels.subarray((96 * 96 - 1) * 3)]).toEqual([255, 255, 255]);
    tiles.close();
  });
});

describe('chooseExamples', () => {
  let folder: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ path: folder, remove } = await scratch());
  });
  afterEach(() => remove());

  const score = (tp: number, col = 0, outcome: PatchScore['outcome'] = 'segmented'): PatchScore => ({
    col,
    row: 0,
    split: 'all',
    outcome,
    counts: { tp, fp: 0, fn: 1000 - tp, tn: 1000 },
    boundary: [],
  });

  async function spoolOf(name: string, patches: readonly (readonly [string, PatchScore, number])[]) {
    const spool = new PatchSpool(join(folder, name));
    for (const [image, patch, fill] of patches) await spool.append(image, patch, new Uint8Array(512).fill(fill));
    return { name, spool };
  }

  it('takes the highest, the middle and the lowest, each from another image, and none twice', async () => {
    const model = await spoolOf(
      'm',
      [100, 300, 500, 700, 900].map((tp, i) => [`image-${i}`, score(tp), 255] as const),
    );
    const examples = await chooseExamples([model], { split: 'all', each: 1 });
    expect(examples.map(({ why, image, iou }) => [why, image, iou['m']])).toEqual([
      ['best', 'image-4', 0.9],
      ['median', 'image-2', 0.5],
      ['worst', 'image-0', 0.1],
    ]);
    const many = await chooseExamples([model], { split: 'all', each: 5 });
    expect(new Set(many.map(example => example.image)).size).toBe(many.length);
    expect(await chooseExamples([model], { split: 'test', each: 1 })).toEqual([]);
  });

  it('shows the patch in which two models differ most, by pixels', async () => {
    const a = await spoolOf('a', [
      ['x', score(500), 0b11110000],
      ['y', score(500), 0b11110000],
    ]);
    const b = await spoolOf('b', [
      ['x', score(500), 0b11111000],
      ['y', score(500), 0b00001111],
    ]);
    const examples = await chooseExamples([a, b], { split: 'all', each: 1 });
    const [different] = examples.filter(example => example.why === 'disagreement');
    expect(different).toMatchObject({ image: 'y', disagreement: 512 * 8, iou: { a: 0.5, b: 0.5 } });
  });

  it('leaves out patches with nothing to see', async () => {
    const poor: PatchScore = { ...score(0), counts: { tp: 0, fp: 0, fn: 1, tn: 3000 } };
    const model = await spoolOf('m', [
      ['few', poor, 0],
      ['empty', score(0, 0, 'empty'), 0],
      ['unlabelled', { ...score(0), counts: { tp: 10, fp: 0, fn: 10, tn: 0 } }, 0],
    ]);
    expect(await chooseExamples([model], { split: 'all', each: 2 })).toEqual([]);
  });
});
