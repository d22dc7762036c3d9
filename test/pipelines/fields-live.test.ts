import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  acquisition,
  cutOut,
  type Field,
  type FieldScanOptions,
  fieldImage,
  fieldsOf,
  mm,
  PARAMETERS,
  writeImage,
  writeSlowly,
} from '../support/field-scan.js';
import { emptyFolder } from '../support/paths.js';
import { finishedMask, happened, maskOf, opened, segmentFinished, watchFor } from './live-support.js';

/** Fields of 400 × 380 pixels that overlap by a fifth, at whole pixels. */
const GRID: FieldScanOptions = { cols: 4, rows: 3, width: 400, height: 380, step: [320, 300] };

/** What the middle cells of the fields show, as a plain TIFF. */
async function stitched(cells: { left: number; top: number; width: number; height: number }): Promise<string> {
  const path = join(await emptyFolder(), 'stitched.tiff');
  const image = await cutOut(cells.left, cells.top, cells.width, cells.height);
  await image
    .tiff({
      tile: true,
      tileWidth: 256,
      tileHeight: 256,
      compression: 'none',
      resolutionUnit: 'cm',
      xres: 2000,
      yres: 2000,
    })
    .toFile(path);
  return path;
}
const MIDDLE = { left: 200 + 40, top: 100 + 40, width: 4 * 320, height: 3 * 300 };

const planOf = (regions: Readonly<Record<string, readonly Field[]>>): string =>
  `region,x (mm),y (mm),z (mm)\n${Object.entries(regions)
    .flatMap(([region, fields]) => fields.map(({ x, y }) => `${region},${mm(x)},${mm(y)},1.2\n`))
    .join('')}`;

const visitedOf = (region: string, fields: readonly Field[], z = 0): string =>
  fields.map(({ x, y }, fov) => `${region},${fov},${z},${mm(x)},${mm(y)},12,2026-11-25\n`).join('');
const VISITED = 'region,fov,z_level,x (mm),y (mm),z (um),time\n';

async function writeFields(folder: string, region: string, options: FieldScanOptions, z = 0): Promise<void> {
  const { extension = 'png' } = options;
  for (const [fov, field] of fieldsOf(options).entries()) {
    const name = `${region}_${fov}_${z}_BF_LED_matrix_full.${extension}`;
    await writeImage(join(folder, name), await fieldImage(field, options));
  }
}

describe('an acquisition of Squid', () => {
  it.each(['png', 'tiff', 'bmp'] as const)(
    'with its plan first, in %s: the masks of the stitched slide',
    async extension => {
      const options = { ...GRID, extension };
      const fields = fieldsOf(options);
      const { results, out, folder } = await watchFor(1, {}, async to => {
        const path = acquisition(to, 'scan');
        await writeSlowly(join(path, 'coordinates.csv'), planOf({ A1: fields }));
        mkdirSync(join(path, '0'));
        await writeFields(join(path, '0'), 'A1', options);
        writeFileSync(join(path, '0', 'coordinates.csv'), VISITED + visitedOf('A1', fields));
        writeFileSync(join(path, '0', '.done'), '');
        writeFileSync(join(path, '.done'), '');
      });
      expect(results).toMatchObject([{ id: 'scan', state: 'completed' }]);
      expect(results[0]).toMatchObject({
        summary: { source: { width: 1280, height: 900, mpp: 0.5 }, tiles: { expected: 12, seen: 12, missing: 0 } },
      });
      const mask = await maskOf(out, 'scan');
      expect(mask).toEqual(await finishedMask(await stitched(MIDDLE), 'scan'));
      // By the acquisition's folder or a time point's table: both are the plan's slide.
      for (const path of ['scan', 'scan/0/coordinates.csv'])
        expect((await segmentFinished(join(folder, path), 'scan')).mask).toEqual(mask);
    },
  );

  it('without a plan: its table comes after the images, several planes a field, the middle one is read', async () => {
    const fields = fieldsOf(GRID);
    const { results, out } = await watchFor(1, {}, async to => {
      const path = acquisition(to, 'old', { ...PARAMETERS, Nz: 3 });
      mkdirSync(join(path, '0'));
      for (const z of [0, 2]) await writeFields(join(path, '0'), 'R0', { ...GRID, left: 0, top: 0 }, z);
      await writeFields(join(path, '0'), 'R0', GRID, 1);
      await sleep(300);
      const rows = [0, 1, 2].map(z => visitedOf('R0', fields, z)).join('');
      await writeSlowly(join(path, '0', 'coordinates.csv'), VISITED + rows);
      writeFileSync(join(path, '0', '.done'), '');
      writeFileSync(join(path, '.done'), '');
    });
    expect(results).toMatchObject([{ id: 'old--0', state: 'completed', summary: { tiles: { seen: 12 } } }]);
    expect(await maskOf(out, 'old--0')).toEqual(await finishedMask(await stitched(MIDDLE), 'old--0'));
  });

  it('of several regions is several slides, and one that cannot be read does not stop the others', async () => {
    const small = { ...GRID, cols: 2, rows: 2 };
    const apart = { ...small, left: 1000, top: 900 };
    const gap = { ...small, step: [420, 380] as const };
    const { results, out } = await watchFor(3, {}, async to => {
      const path = acquisition(to, 'wells');
      const regions = { A1: fieldsOf(small), A2: fieldsOf(apart), B1: fieldsOf(gap) };
      writeFileSync(join(path, 'coordinates.csv'), planOf(regions));
      mkdirSync(join(path, '0'));
      for (const [region, options] of [
        ['A1', small],
        ['A2', apart],
        ['B1', gap],
      ] as const)
        await writeFields(join(path, '0'), region, options);
      writeFileSync(join(path, '.done'), '');
    });
    const states = Object.fromEntries(results.map(result => [result.id, result.state]));
    expect(states).toEqual({ 'wells--A1': 'completed', 'wells--A2': 'completed', 'wells--B1': 'failed' });
    const failure = results.find(({ state }) => state === 'failed')!;
    expect(failure).toMatchObject({
      error: { code: 'SLIDE_UNSUPPORTED', message: expect.stringMatching(/400 .* 420/) },
    });
    const cells = { left: 1040, top: 940, width: 640, height: 600 };
    expect(await maskOf(out, 'wells--A2')).toEqual(await finishedMask(await stitched(cells), 'wells--A2'));
  });
});

describe('fields', () => {
  it('are segmented while others are still to come, whatever the marker of their time point says', async () => {
    const fields = fieldsOf(GRID);
    const { results } = await watchFor(1, {}, async (to, signal) => {
      const masks = opened.at(-1)!.bus.subscribe('stroma.v1.>', signal)[Symbol.asyncIterator]();
      const path = acquisition(to, 'live');
      writeFileSync(join(path, 'coordinates.csv'), planOf({ R0: fields }));
      const images = join(path, '0');
      mkdirSync(images);
      const write = async (fov: number) =>
        writeImage(join(images, `R0_${fov}_0_BF.png`), await fieldImage(fields[fov]!, GRID));
      for (let fov = 0; fov < fields.length - 1; fov++) await write(fov);
      writeFileSync(join(images, '.done'), '');
      // The last field is not written before a mask of the others was published.
      for (let type = ''; type !== 'stromaflow.mask.v1'; ) {
        const { value, done } = await masks.next();
        if (done) throw new Error('no mask came');
        type = value.type;
      }
      await write(fields.length - 1);
    });
    expect(results).toMatchObject([{ state: 'completed', summary: { tiles: { expected: 12, seen: 12, missing: 0 } } }]);
  });
});

describe('a stage', () => {
  it('that stops a little off, at steps of broken pixels: every field at the pixel where it stood', async () => {
    // Off by up to 9 pixels; the picture is put together again by whole pixels.
    const jitter = (col: number, row: number) =>
      [((col * 7 + row * 5) % 19) - 9, ((col * 3 + row * 11) % 19) - 9] as const;
    const options = { ...GRID, step: [320.4, 299.7] as const, jitter };
    const fields = fieldsOf(options).map(({ x, y, ...field }) => ({ ...field, x: Math.round(x), y: Math.round(y) }));
    const { results, out } = await watchFor(1, {}, async to => {
      const path = acquisition(to, 'off');
      writeFileSync(join(path, 'coordinates.csv'), planOf({ R0: fields }));
      mkdirSync(join(path, '0'));
      await writeFields(join(path, '0'), 'R0', options);
    });
    const [result] = results;
    if (result?.state !== 'completed') throw new Error(JSON.stringify(result));
    // The step is found from the places: what the stage is off by may move it by a pixel.
    const { width, height } = result.summary.source;
    const [across, down] = [width / 4, height / 3];
    expect([Math.abs(across - 320.4), Math.abs(down - 299.7)].every(off => off < 2)).toBe(true);
    // Where the grid begins in the slide: the middle of what the fields are off by.
    const begins = (size: number, step: number, off: (field: Field) => number) => {
      const all = fields.map(off);
      return Math.round((size - step) / 2 + (Math.min(...all) + Math.max(...all)) / 2);
    };
    const left = begins(400, across, ({ x, col }) => x - col * across);
    const top = begins(380, down, ({ y, row }) => y - row * down);
    const wanted = await finishedMask(await stitched({ left, top, width, height }), 'off');
    expect(await maskOf(out, 'off')).toEqual(wanted);
  });
});

describe('a table that is not marked as whole', () => {
  const four = { ...GRID, cols: 2, rows: 2 };
  const write = async (path: string, fields: readonly Field[], from: number, to: number) => {
    for (let fov = from; fov < to; fov++)
      writeFileSync(join(path, '0', `R0_${fov}_0_BF.png`), await fieldImage(fields[fov]!, four));
    writeFileSync(join(path, '0', 'coordinates.csv'), VISITED + visitedOf('R0', fields.slice(0, to)));
  };

  it('counts when it has the fields that the parameters announce', async () => {
    const { results } = await watchFor(1, {}, async to => {
      const path = acquisition(to, 'counted', { ...PARAMETERS, Nx: 2, Ny: 2 });
      mkdirSync(join(path, '0'));
      for (const upTo of [2, 4]) {
        await write(path, fieldsOf(four), upTo - 2, upTo);
        await sleep(500);
      }
    });
    expect(results).toMatchObject([{ state: 'completed', summary: { tiles: { expected: 4, seen: 4 } } }]);
  });

  it('counts when it stood still for long, and is another slide when rows come after all', async () => {
    const { results } = await watchFor(2, { config: { 'incomplete-after': 1 } }, async (to, signal) => {
      const path = acquisition(to, 'slow');
      mkdirSync(join(path, '0'));
      const counted = happened('completed', signal);
      await write(path, fieldsOf(four), 0, 2);
      await counted;
      await write(path, fieldsOf(four), 2, 4);
    });
    const tiles = (expected: number) => ({ state: 'completed', summary: { tiles: { expected, seen: expected } } });
    expect(results).toMatchObject([tiles(2), tiles(4)]);
  });
});

describe('a table of files', () => {
  it('a row an image, torn now and then, without overlap: complete with .done, a field that was skipped is missing', async () => {
    const options = { ...GRID, step: [400, 380] as const, extension: 'jpg' as const };
    const { results, out, folder } = await watchFor(1, { config: { mpp: 0.5 } }, async to => {
      const path = join(to, 'lab');
      mkdirSync(path);
      const csv = join(path, 'coordinates.csv');
      writeFileSync(csv, 'file,x,y\n');
      for (const [index, field] of fieldsOf(options).entries()) {
        if (index !== 5) await writeImage(join(path, `f${index}.jpg`), await fieldImage(field, options));
        const row = `f${index}.jpg,${field.x},${field.y}\n`;
        appendFileSync(csv, row.slice(0, -4));
        await sleep(15);
        appendFileSync(csv, row.slice(-4));
      }
      await sleep(400);
      writeFileSync(join(path, '.done'), '');
    });
    const tiles = { expected: 12, seen: 11, missing: 1 };
    expect(results).toMatchObject([{ id: 'lab', state: 'completed', summary: { source: { width: 1600 }, tiles } }]);
    const again = await segmentFinished(join(folder, 'lab'), 'lab', 0.5);
    expect(again.result).toMatchObject({ state: 'completed', summary: { tiles } });
    expect(again.mask).toEqual(await maskOf(out, 'lab'));
  });
});
