import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { AxisSpacing } from '../slide/slide.js';
import type { LabelFrame, LabelReading, LabelSource, LabelWindow } from './label-source.js';
import type { LabelMap } from './labels.js';
import { alignMask } from './mask-alignment.js';
import { levelAreaOf, maskIndices, samplingOf } from './mask-sampling.js';
import { spacingPerMetre } from './mask-spacing.js';
import { decodePngValues, isPng, isValuePng, lostValues, pngDensity, readPngHeader } from './png-values.js';

/** A decoded mask: one label value a pixel, rows top down. */
export interface MaskImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** µm per pixel, where the file states it. */
  readonly spacing: AxisSpacing | undefined;
  readonly values: Uint8Array;
}

/**
 * Reads a mask: palette and grey PNG by stored value, anything else sharp decodes by grey level or, where the map has
 * colours, by colour.
 * @throws LABELS_INVALID naming the file, for a damaged file or a colour that is in no table.
 */
export async function readMaskImage(path: string, map: LabelMap): Promise<MaskImage> {
  try {
    const file = await readFile(path);
    if (isPng(file)) {
      const header = readPngHeader(file);
      if (isValuePng(header)) {
        const { width, height } = header;
        return { path, width, height, spacing: await spacingOf(file), values: decodePngValues(file, header) };
      }
      const lost = lostValues(header);
      if (lost) throw new StromaflowError('LABELS_INVALID', lost);
    }
    const { data, info } = await sharp(file, { ignoreIcc: true, failOn: 'warning' })
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const values = info.channels === 1 ? new Uint8Array(data) : valuesOfColours(data, info.channels, map);
    return { path, width: info.width, height: info.height, spacing: await spacingOf(file), values };
  } catch (error) {
    const known = toStromaflowError(error, 'LABELS_INVALID');
    const code = isMissing(error) ? 'FILE_NOT_FOUND' : 'LABELS_INVALID';
    throw new StromaflowError(code, `${path}: ${firstLine(known.message)}`, { cause: error });
  }
}

/** Counts of every value, 256 long. */
export function valueHistogram(values: Uint8Array): Float64Array {
  const counts = new Float64Array(256);
  for (const value of values) counts[value]!++;
  return counts;
}

/** PNG states the density of both axes; of other formats sharp tells one, in pixels per inch. */
async function spacingOf(file: Buffer): Promise<AxisSpacing | undefined> {
  if (isPng(file)) {
    const perMetre = pngDensity(file);
    return perMetre && spacingPerMetre(perMetre.x, perMetre.y);
  }
  const { density } = await sharp(file).metadata();
  return density ? spacingPerMetre(density / 0.0254, density / 0.0254) : undefined;
}

/**
 * Labels of a whole decoded mask, laid on its picture by its spacing, as alignMask says.
 * @throws LABELS_INVALID when it does not fit
 */
export function maskImageSource(mask: MaskImage, frame: LabelFrame, reading: LabelReading = {}): LabelSource {
  const alignment = alignMask(mask.path, mask, frame, reading);
  const sampling = samplingOf(alignment, frame);
  const covered = levelAreaOf(alignment.covered, frame);
  return {
    facts: { classes: [], leftOut: {}, notes: alignment.notes },
    ...(covered && { covered }),
    read: async (window, into) => {
      const { columns, rows } = maskIndices(window, sampling, mask);
      sample(mask, columns, rows, window, into);
      return [];
    },
    close: async () => {},
  };
}

function sample(mask: MaskImage, columns: Int32Array, rows: Int32Array, window: LabelWindow, into: Uint8Array): void {
  const first = columns[0]!;
  const contiguous = columns.every((column, i) => column === first + i);
  for (let y = 0; y < rows.length; y++) {
    const from = rows[y]! * mask.width;
    const to = y * window.side;
    if (contiguous) into.set(mask.values.subarray(from + first, from + first + columns.length), to);
    else for (let x = 0; x < columns.length; x++) into[to + x] = mask.values[from + columns[x]!]!;
  }
}

/** Grey pictures stored as RGB are read by level; coloured ones need the table. */
export function valuesOfColours(data: Uint8Array, channels: number, map: LabelMap): Uint8Array {
  const values = new Uint8Array(data.length / channels);
  let lastColour = -1;
  let lastValue = 0;
  for (let i = 0, at = 0; i < values.length; i++, at += channels) {
    const colour = channels < 3 ? data[at]! * 0x010101 : (data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!;
    if (colour !== lastColour) {
      lastValue = valueOfColour(colour, map);
      lastColour = colour;
    }
    values[i] = lastValue;
  }
  return values;
}

function valueOfColour(colour: number, map: LabelMap): number {
  const value = map.colours.get(colour);
  if (value !== undefined) return value;
  const grey = colour & 255;
  if (map.colours.size === 0 && colour === grey * 0x010101) return grey;
  throw new StromaflowError('LABELS_INVALID', `colour #${colour.toString(16).padStart(6, '0')} is in no colour table`);
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!;
const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
