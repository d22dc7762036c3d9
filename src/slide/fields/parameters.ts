import { join } from 'node:path';
import { decodeText } from '../../text.js';
import { readRegularFile } from '../regular-file.js';
import { positive } from '../tile-folder/manifest-fields.js';

/** What Squid writes first, into the folder of an acquisition. */
export const PARAMETERS = 'acquisition parameters.json';

const MAX_BYTES = 1 << 20;

export interface ScanParameters {
  /** µm per pixel of an image; undefined where something of it is not stated. */
  readonly mpp: number | undefined;
  /** Focal planes a field, and times the whole was scanned. */
  readonly planes: number;
  readonly times: number;
  /** Fields a region, where regions are grids of one size. */
  readonly fields: number | undefined;
}

/** Undefined while they are not there, or not whole. */
export function readParameters(folder: string): ScanParameters | undefined {
  const file = readRegularFile(join(folder, PARAMETERS), MAX_BYTES);
  if (!file) return undefined;
  try {
    const fields: unknown = JSON.parse(decodeText(file.bytes));
    return typeof fields === 'object' && fields !== null ? describe(fields as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function describe(fields: Record<string, unknown>): ScanParameters {
  const [across, down] = [count(fields['Nx']), count(fields['Ny'])];
  return {
    mpp: mppOf(fields),
    planes: count(fields['Nz']) ?? 1,
    times: count(fields['Nt']) ?? 1,
    fields: across && down && across * down > 1 ? across * down : undefined,
  };
}

/** A camera's pixel, binned, through the objective made for another tube lens (Squid's ObjectiveStore). */
function mppOf({ objective, ...fields }: Record<string, unknown>): number | undefined {
  const lens = (typeof objective === 'object' && objective !== null ? objective : {}) as Record<string, unknown>;
  const sensor = positive(fields['sensor_pixel_size_um']);
  const tube = positive(fields['tube_lens_mm']);
  const magnification = positive(lens['magnification']);
  const designed = positive(lens['tube_lens_f_mm']);
  return sensor && tube && magnification && designed && positive((sensor * designed) / magnification / tube);
}

const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 100_000 ? value : undefined;
