import type { PatchPlan } from '../slide/patch.js';
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

/** Zarr v2 array metadata (zarr-specs v2.0): uint8, one patch a chunk, zlib, absent chunks are 0. */
export const arrayMetadata = ({ width, height, chunk }: StoredLevel): object => ({
  zarr_format: 2,
  shape: [height, width],
  chunks: [chunk, chunk],
  dtype: '|u1',
  compressor: { id: 'zlib', level: 1 },
  fill_value: 0,
  order: 'C',
  filters: null,
  dimension_separator: '/',
});

/**
 * OME-Zarr 0.4 group attributes: multiscales in micrometres and label colours. No `omero` block: with its contrast limits
 * napari refuses to make a labels layer.
 */
export function groupAttributes(name: string, plan: PatchPlan, levels: readonly StoredLevel[]): object {
  const [r, g, b] = STROMA_RGB;
  const spacing = [plan.axes?.y ?? plan.mpp, plan.axes?.x ?? plan.mpp];
  return {
    multiscales: [
      {
        version: '0.4',
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
    ],
    'image-label': {
      version: '0.4',
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
