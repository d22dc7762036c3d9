import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLabels } from '#src/evaluate/check.js';
import type { LabelFrame } from '#src/evaluate/label-source.js';
import { openLabelledSet } from '#src/evaluate/labelled-set.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { openItem, openLabels } from '#src/evaluate/open-item.js';
import { readPatchLabels } from '#src/evaluate/patch-labels.js';
import { openSlideTruth } from '#src/evaluate/slide-truth.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { type PageOptions, type Picture, plain, writeTiff } from '../slide/tiff-writer.js';
import { scratch, writeImage } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const map = parseLabelMap({ positive: '2' });
const RATIONAL = 5;
/** Resolution tags of a spacing, µm/px. */
const tags = (x: number, y = x): NonNullable<PageOptions['extra']> => [
  [282, RATIONAL, [Math.round(1e7 / x), 1000]],
  [283, RATIONAL, [Math.round(1e7 / y), 1000]],
  [296, 3, [3]],
];

/** What is true of a slide: label 2 in blocks of 16 level-0 pixels, 1 elsewhere. */
const truth = (x: number, y: number): number => (((x >> 4) * 7 + (y >> 4) * 5) % 11 < 3 ? 2 : 1);
/** A mask of that truth, padded with 0 to a size: its pixel covers `factor` level-0 pixels. */
function maskOf(
  width: number,
  height: number,
  factor: number,
  size: readonly [number, number],
  factorY = factor,
): Picture {
  const data = new Uint8Array(size[0] * size[1]);
  for (let y = 0; y < size[1]; y++) {
    for (let x = 0; x < size[0]; x++) {
      const [X, Y] = [x * factor, y * factorY];
      if (X < width && Y < height) data[y * size[0] + x] = truth(X, Y);
    }
  }
  return { width: size[0], height: size[1], samples: 1, data };
}
const padded = (of: number, side: number) => Math.ceil(of / side) * side;

async function read(path: string, frame: LabelFrame, step: number): Promise<(x: number, y: number) => number> {
  const source = await openMaskTiff(path, map, frame);
  const side = Math.ceil(Math.max(frame.width, frame.height) / step);
  const into = new Uint8Array(side * side);
  const window = {
    x: 0,
    y: 0,
    step,
    side,
    width: Math.ceil(frame.width / step),
    height: Math.ceil(frame.height / step),
  };
  await source.read(window, into);
  await source.close();
  return (x, y) => into[y * side + x]!;
}

describe('a mask TIFF', () => {
  it('of any dyadic spacing, exact or padded, with tags or without, tiled or not, gives every label at its place', async () => {
    const path = join(folder, 'mask.tif');
    const options = fc.record({
      width: fc.integer({ min: 200, max: 420 }),
      height: fc.integer({ min: 200, max: 420 }),
      factor: fc.constantFrom(1, 2, 4, 8),
      side: fc.constantFrom(16, 32, 64),
      pad: fc.boolean(),
      stated: fc.boolean(),
      compression: fc.constantFrom('lzw', 'deflate', 'packbits', 'none'),
    });
    await fc.assert(
      fc.asyncProperty(options, async ({ width, height, factor, side, pad, stated, compression }) => {
        const size = [width, height].map(of => (pad ? padded(Math.ceil(of / factor), side) : Math.ceil(of / factor)));
        // One tile alone says nothing of its spacing.
        fc.pre(stated || !pad || size.some(of => of > side));
        // Nor does a size that the picture has a third or a sixth of, too.
        const isSmall = (small: number) => size.every((of, i) => Math.abs(of - [width, height][i]! / small) < 1);
        fc.pre(stated || !pad || ![3, 5, 6, 7].some(isSmall));
        const page: PageOptions = {
          picture: maskOf(width, height, factor, size as [number, number]),
          compression: compression as NonNullable<PageOptions['compression']>,
          ...(pad ? { tile: [side, side] } : {}),
          ...(stated ? { extra: tags(0.5 * factor) } : {}),
        };
        await writeFile(path, writeTiff([page]));
        const at = await read(path, { width, height, spacing: { x: 0.5, y: 0.5 } }, 1);
        for (let y = 0; y < height; y += 7) {
          for (let x = 0; x < width; x += 7) {
            if (at(x, y) !== truth(x, y)) expect.fail(`(${x}, ${y}): ${at(x, y)}, not ${truth(x, y)}`);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of padded levels gives the same labels from each of them', async () => {
    const [width, height, side] = [1000, 760, 64];
    const page = (factor: number): PageOptions => ({
      picture: maskOf(width, height, factor, [padded(width / factor, side), padded(height / factor, side)]),
      tile: [side, side],
      compression: 'lzw',
    });
    const path = join(folder, 'pyramid.tif');
    for (const pages of [
      [page(1), page(2), page(4), page(8)],
      [{ ...page(1), children: [page(2), page(4), page(8)] }],
    ]) {
      await writeFile(path, writeTiff(pages));
      for (const step of [1, 4, 8, 16]) {
        const at = await read(path, { width, height }, step);
        for (let y = 0; y < Math.floor(height / step); y++) {
          for (let x = 0; x < Math.floor(width / step); x++) {
            const [X, Y] = [Math.floor((x + 0.5) * step), Math.floor((y + 0.5) * step)];
            // A coarse pixel has its upper left corner's label: up to eight pixels away within a block of sixteen.
            if (at(x, y) !== truth(X - (X % 8), Y - (Y % 8))) expect.fail(`(${X}, ${Y}) at ${step}`);
          }
        }
      }
    }
  });

  it.each<[string, Partial<PageOptions>]>([
    [
      'OME-XML',
      {
        description:
          '<OME><Image><Pixels PhysicalSizeX="1" PhysicalSizeY="1" PhysicalSizeXUnit="&#181;m" SizeC="1" SizeZ="1" SizeT="1" DimensionOrder="XYCZT"/></Image></OME>',
      },
    ],
    [
      'ImageJ',
      {
        description: 'ImageJ=1.54f\nunit=micron\n',
        extra: [
          [282, RATIONAL, [1, 1]],
          [283, RATIONAL, [1, 1]],
          [296, 3, [1]],
        ],
      },
    ],
    [
      'inches',
      {
        extra: [
          [282, RATIONAL, [25_400, 1]],
          [283, RATIONAL, [25_400, 1]],
          [296, 3, [2]],
        ],
      },
    ],
  ])('may state its spacing in %s', async (_, more) => {
    const path = join(folder, 'stated.tif');
    const picture = maskOf(300, 300, 2, [100, 100]);
    await writeFile(path, writeTiff([{ picture, ...more }]));
    const source = await openMaskTiff(path, map, { width: 300, height: 300, spacing: { x: 0.5, y: 0.5 } });
    expect(source.covered).toEqual({ x: 0, y: 0, width: 200, height: 200 });
    await source.close();
  });

  it('whose tags are a printer’s states nothing', async () => {
    const path = join(folder, 'dpi.tif');
    const extra: PageOptions['extra'] = [
      [282, RATIONAL, [300, 1]],
      [283, RATIONAL, [300, 1]],
      [296, 3, [2]],
    ];
    await writeFile(path, writeTiff([{ picture: maskOf(300, 300, 2, [150, 150]), extra }]));
    const at = await read(path, { width: 300, height: 300, spacing: { x: 0.5, y: 0.5 } }, 1);
    expect([at(290, 290), at(120, 40)]).toEqual([truth(290, 290), truth(120, 40)]);
  });

  it('with another spacing an axis is laid so', async () => {
    const path = join(folder, 'axes.tif');
    await writeFile(path, writeTiff([{ picture: maskOf(320, 256, 4, [80, 128], 2), extra: tags(2, 1) }]));
    const at = await read(path, { width: 320, height: 256, spacing: { x: 0.5, y: 0.5 } }, 1);
    for (let y = 0; y < 256; y += 5) for (let x = 0; x < 320; x += 5) expect(at(x, y)).toBe(truth(x, y));
  });

  it.each([
    ['of Zstandard', 50000, /compression 50000 is not read in masks/],
    ['of JPEG 2000', 34712, /compression 34712 cannot hold labels/],
  ])('%s is refused for what it is', async (_, compression, message) => {
    const path = join(folder, 'other.tif');
    const bytes = writeTiff([{ picture: plain(32, 32, [1]), compression: 'deflate' }]);
    const at = bytes.indexOf(Buffer.from([3, 1, 3, 0, 1, 0, 0, 0, 8, 0]));
    bytes.writeUInt16LE(compression, at + 8);
    await writeFile(path, bytes);
    await expect(openMaskTiff(path, map, { width: 32, height: 32 })).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });
});

describe('a mask that covers a part of its slide', () => {
  it('leaves the rest unlabelled: in patches, in the running IoU and in the check', async () => {
    const slide = join(folder, 'slide.tif');
    const labels = join(folder, 'slide_mask.tif');
    await writeFile(
      slide,
      writeTiff([{ picture: plain(320, 256, [200, 150, 190]), tile: [64, 64], extra: tags(0.5) }]),
    );
    await writeFile(labels, writeTiff([{ picture: plain(50, 40, [2]), extra: tags(1) }]));
    const { info } = await openSlide(slide);
    const plan = planPatches(info, { spacing: 0.5, patchSize: 64 });
    const source = await openLabels({ labels: { kind: 'mask-tiff', path: labels } }, info, map);
    let labelled = 0;
    for (const ref of patchRefs(plan)) {
      const patch = await readPatchLabels(source, plan, ref, map);
      labelled += patch.labelledPixels;
      const ignored = patch.ignored.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
      expect(ignored + patch.labelledPixels).toBe(64 * 64);
      expect(patch.positivePixels).toBe(patch.labelledPixels);
    }
    await source.close();
    expect(labelled).toBe(100 * 80);

    const running = await openSlideTruth(labels, info, plan, map);
    expect(await running.score({ col: 1, row: 1 }, undefined)).toEqual({ intersection: 0, union: 36 * 16 });
    expect(await running.score({ col: 4, row: 3 }, undefined)).toBeUndefined();
    expect(running.facts.notes).toEqual([
      expect.stringMatching(/cover the upper left of its picture only; 90\.2 % is unlabelled/),
    ]);
    await running.close();

    const report = await checkLabels(slide, { labels, positive: '2', openSlide });
    expect(report.classes.find(({ value }) => value === 2)!.pixels).toBe(100 * 80);
    expect(report.findings).toEqual([
      {
        severity: 'warning',
        kind: 'alignment',
        message: expect.stringMatching(/^\/.*slide_mask\.tif: its 50 × 40 pixels/),
      },
    ]);
  });
});

describe('masks of images', () => {
  const image = () => join(folder, 'images', 'a.png');
  const mask = () => join(folder, 'masks', 'a.png');
  const write = async (width: number, height: number, density?: number) => {
    await writeImage(image(), 120, 80);
    const picture = sharp(Buffer.from(maskOf(120, 80, 120 / width, [width, height]).data), {
      raw: { width, height, channels: 1 },
    }).toColourspace('b-w');
    await sharp(await picture.png().toBuffer())
      .withMetadata(density ? { density } : {})
      .png()
      .toFile(await place(mask()));
  };
  const place = async (path: string) => {
    await writeImage(path, 1, 1);
    return path;
  };

  it.each([
    ['its size', 120, 80, undefined, 0],
    ['half its size', 60, 40, undefined, 0],
    ['half its size, of stated spacing', 60, 40, 25_400, 0],
    ['another size', 119, 80, undefined, 1],
    ['another shape', 60, 41, undefined, 1],
  ])('of %s: %i × %i, %s', async (_, width, height, density, faults) => {
    await write(width, height, density);
    const report = await checkLabels(folder, { positive: '2', mpp: 0.5, openSlide });
    expect(report.findings.filter(({ severity }) => severity === 'fault')).toHaveLength(faults);
    if (faults > 0) return;
    const set = await openLabelledSet(folder, { positive: '2', mpp: 0.5, strict: true });
    for await (const item of set) {
      // Resampled to half the pixels when it is opened: the labels follow.
      const { info } = await openItem(item, { spacing: 1, openSlide });
      expect(info.levels[0]).toMatchObject({ width: 60, height: 40 });
      const source = await openLabels(item, info, set.map);
      const into = new Uint8Array(60 * 60);
      await source.read({ x: 0, y: 0, step: 1, side: 60, width: 60, height: 40 }, into);
      for (let y = 0; y < 40; y++) for (let x = 0; x < 60; x++) expect(into[y * 60 + x]).toBe(truth(x * 2, y * 2));
    }
  });

  it('are annotations in pixels of the file, whatever it is resampled to', async () => {
    await writeImage(image(), 120, 80);
    const labels = join(folder, 'a.geojson');
    const box = [
      [20, 10],
      [60, 10],
      [60, 50],
      [20, 50],
      [20, 10],
    ];
    const geometry = { type: 'Polygon', coordinates: [box] };
    await writeFile(labels, JSON.stringify({ type: 'Feature', geometry, properties: { classification: 'Stroma' } }));
    const set = await openLabelledSet(image(), { labels, positive: 'Stroma', mpp: 0.5, strict: true });
    for await (const item of set) {
      const { info } = await openItem(item, { spacing: 1, openSlide });
      const plan = planPatches(info, { spacing: 1, patchSize: 64 });
      const source = await openLabels(item, info, set.map);
      const patch = await readPatchLabels(source, plan, { col: 0, row: 0 }, set.map);
      expect(patch.positivePixels).toBe(20 * 20);
    }
  });
});
