import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as zarr from 'zarrita';
import { MaskPyramid } from '#src/mask/reduce.js';
import type { PatchPlan } from '#src/read/patch.js';
import { validSize } from '#src/read/plan.js';
import { MaskStore } from '#src/store/zarr.js';
import { filesBelow, type MaskedSlide, maskedSlide, temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

/** zarrita's port of a store, on a folder. */
const onDisk = (root: string) => ({
  get: async (key: string) =>
    existsSync(join(root, key)) ? new Uint8Array(await readFile(join(root, key))) : undefined,
});

async function readLevel(
  path: string,
  version: '0.4' | '0.5' = '0.4',
): Promise<{ shape: number[]; chunks: number[]; data: Uint8Array }> {
  const open = version === '0.5' ? zarr.open.v3 : zarr.open.v2;
  const array = await open(zarr.root(onDisk(join(folder.path, 'mask.ome.zarr'))).resolve(path), { kind: 'array' });
  const { data } = await zarr.get(array);
  return { shape: array.shape, chunks: array.chunks, data: data as Uint8Array };
}

function writeAll(store: MaskStore, { plan, patches }: MaskedSlide): void {
  const pyramid = new MaskPyramid(plan.core, store.levels.length);
  for (const { ref, mask } of patches) {
    if (!mask) continue;
    pyramid.load(mask.bits, ...validSize(plan, ref.col, ref.row));
    store.write(ref.col, ref.row, pyramid);
  }
}

/** Half or more of each block's pixels inside the slide. */
function coarser({ plan, pixels }: MaskedSlide, factor: number): Uint8Array {
  const [width, height] = [Math.ceil(plan.width / factor), Math.ceil(plan.height / factor)];
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [x0, y0] = [(i % width) * factor, Math.floor(i / width) * factor];
    let set = 0;
    let all = 0;
    for (let y = y0; y < Math.min(plan.height, y0 + factor); y++) {
      for (let x = x0; x < Math.min(plan.width, x0 + factor); x++, all++) set += pixels[y * plan.width + x]!;
    }
    return set > 0 && set * 2 >= all ? 1 : 0;
  });
}

describe('the mask as OME-Zarr', () => {
  it.each(['0.4', '0.5'] as const)(
    '%s is read back by another implementation, at every level and size',
    async version => {
      const sizes = fc.record({
        width: fc.integer({ min: 1, max: 2300 }),
        height: fc.integer({ min: 1, max: 700 }),
        core: fc.constantFrom(64, 96, 128, 256),
        seed: fc.integer(),
      });
      await fc.assert(
        fc.asyncProperty(sizes, async size => {
          const slide = maskedSlide(size);
          const { plan } = slide;
          const store = new MaskStore(folder.path, 'name', plan, true, version);
          writeAll(store, slide);
          for (const level of store.levels) {
            const { shape, chunks, data } = await readLevel(level.path, version);
            expect(shape).toEqual([Math.ceil(plan.height / level.factor), Math.ceil(plan.width / level.factor)]);
            expect(chunks).toEqual([plan.core / level.factor, plan.core / level.factor]);
            expect(Buffer.compare(data, coarser(slide, level.factor))).toBe(0);
          }
        }),
        { numRuns: 12 },
      );
    },
  );

  it('describes itself as an OME-Zarr 0.4 label image in micrometres', () => {
    const { plan } = maskedSlide({ width: 5000, height: 300, core: 256, mpp: 0.25, spacing: 0.5 });
    new MaskStore(folder.path, 'slide_1', plan, true);
    const attributes = JSON.parse(readFileSync(join(folder.path, 'mask.ome.zarr/.zattrs'), 'utf8'));
    expect(attributes).toMatchObject({
      multiscales: [
        {
          version: '0.4',
          axes: [
            { name: 'y', type: 'space', unit: 'micrometer' },
            { name: 'x', type: 'space', unit: 'micrometer' },
          ],
          datasets: [
            {
              path: '0',
              coordinateTransformations: [
                { type: 'scale', scale: [0.5, 0.5] },
                { type: 'translation', translation: [0, 0] },
              ],
            },
            {
              path: '1',
              coordinateTransformations: [
                { type: 'scale', scale: [1, 1] },
                { type: 'translation', translation: [0.25, 0.25] },
              ],
            },
            { path: '2' },
          ],
        },
      ],
      'image-label': {
        version: '0.4',
        colors: [{ 'label-value': 1 }],
        properties: [{ 'label-value': 1, class: 'Stroma' }],
      },
    });
    expect(attributes).not.toHaveProperty('omero');
    expect(JSON.parse(readFileSync(join(folder.path, 'mask.ome.zarr/0/.zarray'), 'utf8'))).toEqual({
      ...{ zarr_format: 2, shape: [150, 2500], chunks: [256, 256], dtype: '|u1', order: 'C', fill_value: 0 },
      ...{ compressor: { id: 'gzip', level: 1 }, filters: null, dimension_separator: '/' },
    });
  });

  it('describes itself as 0.5 where that is asked for: all under ome, the version once, no file of Zarr v2', () => {
    const { plan } = maskedSlide({ width: 5000, height: 300, core: 256, mpp: 0.25, spacing: 0.5 });
    new MaskStore(folder.path, 'slide_1', plan, true, '0.5');
    const root = join(folder.path, 'mask.ome.zarr');
    const { attributes, ...group } = JSON.parse(readFileSync(join(root, 'zarr.json'), 'utf8'));
    expect(group).toEqual({ zarr_format: 3, node_type: 'group' });
    expect(attributes.ome).toMatchObject({
      version: '0.5',
      multiscales: [{ name: 'slide_1', datasets: [{ path: '0' }, { path: '1' }, { path: '2' }] }],
      'image-label': { colors: [{ 'label-value': 1 }], properties: [{ 'label-value': 1, class: 'Stroma' }] },
    });
    expect(attributes.ome.multiscales[0]).not.toHaveProperty('version');
    expect(JSON.parse(readFileSync(join(root, '0/zarr.json'), 'utf8'))).toMatchObject({
      ...{ zarr_format: 3, node_type: 'array', shape: [150, 2500], data_type: 'uint8', dimension_names: ['y', 'x'] },
      chunk_grid: { configuration: { chunk_shape: [256, 256] } },
      codecs: [{ name: 'bytes' }, { name: 'gzip', configuration: { level: 1 } }],
    });
    expect(Object.keys(filesBelow(root))).toEqual(['0/zarr.json', '1/zarr.json', '2/zarr.json', 'zarr.json']);
  });

  it('goes on in the layout it began with, that of earlier versions included', async () => {
    const slide = maskedSlide({ width: 300, height: 200 });
    const root = join(folder.path, 'mask.ome.zarr');
    for (const [version, other] of [
      ['0.4', '0.5'],
      ['0.5', '0.4'],
    ] as const) {
      writeAll(new MaskStore(folder.path, 'name', slide.plan, true, version), slide);
      const again = new MaskStore(folder.path, 'name', slide.plan, false, other);
      expect(again.version).toBe(version);
      for (const { ref, mask } of slide.patches)
        expect(again.read(ref.col, ref.row)).toEqual(mask?.bits ?? new Uint8Array(64 * 8));
      writeAll(again, slide);
      expect((await readLevel('0', version)).data).toEqual(slide.pixels);
    }
    // As an earlier version left it: the same chunks in zlib, which the metadata says.
    writeAll(new MaskStore(folder.path, 'name', slide.plan, true), slide);
    const array = JSON.parse(readFileSync(join(root, '0/.zarray'), 'utf8'));
    writeFileSync(join(root, '0/.zarray'), JSON.stringify({ ...array, compressor: { id: 'zlib', level: 1 } }));
    for (const name of Object.keys(filesBelow(root)).filter(name => /^0\/\d/.test(name)))
      writeFileSync(join(root, name), deflateSync(gunzipSync(readFileSync(join(root, name)))));
    const again = new MaskStore(folder.path, 'name', slide.plan, false);
    const [first, ...others] = slide.patches.filter(patch => patch.mask);
    expect(again.read(first!.ref.col, first!.ref.row)).toEqual(first!.mask!.bits);
    again.remove(first!.ref.col, first!.ref.row);
    writeAll(again, { ...slide, patches: [first!, ...others.slice(0, 1)] });
    expect((await readLevel('0')).data).toEqual(slide.pixels);
  });

  it('holds nothing but metadata and whole chunks, and none without stroma', () => {
    const slide = maskedSlide({ width: 300, height: 200 });
    const store = new MaskStore(folder.path, 'name', slide.plan, true);
    writeAll(store, slide);
    const names = Object.keys(filesBelow(join(folder.path, 'mask.ome.zarr')));
    const chunks = slide.patches.filter(p => p.mask).map(({ ref }) => `0/${ref.row}/${ref.col}`);
    expect(chunks.length).toBeLessThan(slide.patches.length);
    expect(names).toEqual(['.zattrs', '.zgroup', '0/.zarray', ...chunks].sort());
  });

  it('replaces and removes a patch that comes again', async () => {
    const slide = maskedSlide({ width: 128, height: 64 });
    const store = new MaskStore(folder.path, 'name', slide.plan, true);
    writeAll(store, slide);
    const pyramid = new MaskPyramid(64, store.levels.length);
    pyramid.load(new Uint8Array(64 * 8).fill(0xff), 64, 64);
    store.write(0, 0, pyramid);
    store.remove(1, 0);
    const { data } = await readLevel('0');
    expect(data.every((value, i) => value === (i % 128 < 64 ? 1 : 0))).toBe(true);
    pyramid.load(new Uint8Array(64 * 8), 64, 64);
    store.write(0, 0, pyramid);
    expect(existsSync(join(folder.path, 'mask.ome.zarr/0/0/0'))).toBe(false);
    store.remove(0, 0);
  });

  it('gives stored patches back, clear ones where there is no chunk, and knows damage', () => {
    const slide = maskedSlide({ width: 300, height: 200 });
    writeAll(new MaskStore(folder.path, 'name', slide.plan, true), slide);
    const again = new MaskStore(folder.path, 'name', slide.plan, false);
    for (const { ref, mask } of slide.patches) {
      expect(again.read(ref.col, ref.row)).toEqual(mask?.bits ?? new Uint8Array(64 * 8));
    }
    const chunk = join(folder.path, 'mask.ome.zarr/0/0/0');
    const whole = readFileSync(chunk);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, whole.length - 3), Buffer.from('no gzip stream')]) {
      writeFileSync(chunk, damaged);
      expect(again.read(0, 0)).toBeUndefined();
    }
  });

  it('forgets an earlier run when it starts fresh', () => {
    const slide = maskedSlide({ width: 300, height: 200 });
    writeAll(new MaskStore(folder.path, 'name', slide.plan, true), slide);
    const fresh = new MaskStore(folder.path, 'name', slide.plan, true);
    expect(fresh.read(0, 0)).toEqual(new Uint8Array(64 * 8));
  });

  it('says which file the disk had no room for, and which could not be written', () => {
    const slide = maskedSlide({ width: 64, height: 64 });
    const store = new MaskStore(folder.path, 'name', slide.plan, true);
    symlinkSync('/dev/full', join(folder.path, '.partial/chunk'));
    const chunk = join(folder.path, 'mask.ome.zarr/0/0/0');
    const full = { code: 'OUTPUT_FULL', message: `${chunk}: no space left on device` };
    expect(() => writeAll(store, slide)).toThrow(expect.objectContaining(full));
    writeFileSync(join(folder.path, 'file'), '');
    const open = (plan: PatchPlan) => new MaskStore(join(folder.path, 'file'), 'name', plan, false);
    expect(() => open(slide.plan)).toThrow(expect.objectContaining({ code: 'OUTPUT_FAILED' }));
    mkdirSync(chunk, { recursive: true });
    expect(() => store.read(0, 0)).toThrow(expect.objectContaining({ code: 'OUTPUT_FAILED' }));
  });
});
