import type { PatchPlan } from '../read/patch.js';
import { STROMA_RGB } from './colours.js';

/** Geometry of one resolution of the stored mask; sizes in that resolution's pixels. */
export interface StoredLevel {
  readonly path: string;
  /** Mask pixels per pixel. */
  readonly factor: number;
  readonly width: number;
  readonly height: number;
  /** One patch is one chunk of chunk × chunk. */
  readonly chunk: number;
}

/** Chunks below this side cost more in file names than they hold. */
const SMALLEST_CHUNK = 32;
/** A resolution this small needs no coarser one. */
const SMALLEST_LEVEL = 1024;

/** Resolutions of a plan's mask: halved while a patch stays a whole chunk and the picture is larger than a screen. */
export function storedLevels(plan: PatchPlan): StoredLevel[] {
  const levels: StoredLevel[] = [];
  for (let factor = 1, chunk = plan.core; ; factor *= 2, chunk /= 2) {
    const width = Math.ceil(plan.width / factor);
    const height = Math.ceil(plan.height / factor);
    levels.push({ path: String(levels.length), factor, width, height, chunk });
    if (chunk % 2 !== 0 || chunk / 2 < SMALLEST_CHUNK || Math.max(width, height) <= SMALLEST_LEVEL) return levels;
  }
}

/** Versions of OME-Zarr that a mask can be written in; 0.4 is on Zarr v2, 0.5 on Zarr v3. */
export type OmeZarrVersion = '0.4' | '0.5';

/** How a store is written. Versions before 0.2 wrote zlib chunks, which not every reader takes. */
export interface StoreLayout {
  readonly version: OmeZarrVersion;
  readonly codec: 'gzip' | 'zlib';
}

/** A metadata file of the store, by its path in it. */
export type MetadataFile = readonly [path: string, json: object];

/** All metadata of a store, the group's last: with it the store is whole. */
export function metadataFiles(
  { version, codec }: StoreLayout,
  name: string,
  plan: PatchPlan,
  levels: readonly StoredLevel[],
): MetadataFile[] {
  if (version === '0.5')
    return [
      ...levels.map((level): MetadataFile => [`${level.path}/zarr.json`, arrayOfV3(level)]),
      ['zarr.json', { zarr_format: 3, node_type: 'group', attributes: attributesOf05(name, plan, levels) }],
    ];
  return [
    ...levels.map((level): MetadataFile => [`${level.path}/.zarray`, arrayOfV2(level, codec)]),
    ['.zattrs', attributesOf04(name, plan, levels)],
    ['.zgroup', { zarr_format: 2 }],
  ];
}

/** A chunk's name in the folder of its level. */
export const chunkKey = ({ version }: StoreLayout, col: number, row: number): string =>
  version === '0.5' ? `c/${row}/${col}` : `${row}/${col}`;

/** Zarr v2 array metadata (zarr-specs v2.0): uint8, one patch a chunk, absent chunks are 0. */
const arrayOfV2 = ({ width, height, chunk }: StoredLevel, codec: StoreLayout['codec']): object => ({
  zarr_format: 2,
  shape: [height, width],
  chunks: [chunk, chunk],
  dtype: '|u1',
  compressor: { id: codec, level: 1 },
  fill_value: 0,
  order: 'C',
  filters: null,
  dimension_separator: '/',
});

/** The same in Zarr v3 (zarr-specs core v3.0). */
const arrayOfV3 = ({ width, height, chunk }: StoredLevel): object => ({
  zarr_format: 3,
  node_type: 'array',
  shape: [height, width],
  data_type: 'uint8',
  chunk_grid: { name: 'regular', configuration: { chunk_shape: [chunk, chunk] } },
  chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
  fill_value: 0,
  codecs: [{ name: 'bytes' }, { name: 'gzip', configuration: { level: 1 } }],
  attributes: {},
  dimension_names: ['y', 'x'],
});

/** Metadata of an OME-Zarr 0.4 image of one byte a pixel on the mask's grid; `more`: what else our own attributes say. */
export function scalarFiles(
  name: string,
  plan: PatchPlan,
  levels: readonly StoredLevel[],
  more: Readonly<Record<string, number>>,
): MetadataFile[] {
  const { multiscale, stromaflow } = parts(name, plan, levels);
  return [
    ...levels.map((level): MetadataFile => [`${level.path}/.zarray`, arrayOfV2(level, 'gzip')]),
    [
      '.zattrs',
      { multiscales: [{ version: '0.4', ...multiscale, type: 'mean' }], stromaflow: { ...stromaflow, ...more } },
    ],
    ['.zgroup', { zarr_format: 2 }],
  ];
}

/** OME-Zarr 0.4 group attributes: every part says its version itself. */
export function attributesOf04(name: string, plan: PatchPlan, levels: readonly StoredLevel[]): object {
  const { multiscale, label, stromaflow } = parts(name, plan, levels);
  return {
    multiscales: [{ version: '0.4', ...multiscale }],
    'image-label': { version: '0.4', ...label },
    stromaflow,
  };
}

/** OME-Zarr 0.5: the same under 'ome', the version once. */
function attributesOf05(name: string, plan: PatchPlan, levels: readonly StoredLevel[]): object {
  const { multiscale, label, stromaflow } = parts(name, plan, levels);
  return { ome: { version: '0.5', multiscales: [multiscale], 'image-label': label }, stromaflow };
}

/**
 * Multiscales in micrometres and label colours. No `omero` block: with its contrast limits napari refuses to make a labels
 * layer.
 */
function parts(name: string, plan: PatchPlan, levels: readonly StoredLevel[]) {
  const [r, g, b] = STROMA_RGB;
  const spacing = [plan.axes?.y ?? plan.mpp, plan.axes?.x ?? plan.mpp];
  return {
    multiscale: {
      name,
      type: 'mode',
      axes: ['y', 'x'].map(axis => ({ name: axis, type: 'space', unit: 'micrometer' })),
      datasets: levels.map(({ path, factor }) => ({
        path,
        coordinateTransformations: [
          { type: 'scale', scale: spacing.map(mpp => mpp * factor) },
          // The centre of a coarse pixel is the mean of the centres it covers.
          { type: 'translation', translation: spacing.map(mpp => (mpp * (factor - 1)) / 2) },
        ],
      })),
    },
    label: {
      colors: [{ 'label-value': 1, rgba: [r, g, b, 255] }],
      properties: [{ 'label-value': 1, class: 'Stroma' }],
    },
    stromaflow: {
      level: plan.level,
      downsample: plan.downsample,
      mpp: plan.mpp,
      core: plan.core,
      cols: plan.cols,
      rows: plan.rows,
    },
  };
}
