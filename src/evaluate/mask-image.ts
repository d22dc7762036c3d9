import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { LabelSource, LabelWindow } from './label-source.js';
import type { LabelMap } from './labels.js';
import { decodePngValues, isPng, isValuePng, lostValues, readPngHeader } from './png-values.js';

/** A decoded mask: one label value a pixel, rows top down. */
export interface MaskImage {
  readonly width: number;
  readonly height: number;
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
        return { width: header.width, height: header.height, values: decodePngValues(file, header) };
      }
      const lost = lostValues(header);
      if (lost) throw new StromaflowError('LABELS_INVALID', lost);
    }
    const { data, info } = await sharp(file, { ignoreIcc: true, failOn: 'warning' })
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const values = info.channels === 1 ? new Uint8Array(data) : valuesOfColours(data, info.channels, map);
    return { width: info.width, height: info.height, values };
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

/** Labels of a whole decoded mask. Its size may differ from level 0's: both span the same picture. */
export function maskImageSource(mask: MaskImage, slideWidth: number, slideHeight: number): LabelSource {
  const scaleX = mask.width / slideWidth;
  const scaleY = mask.height / slideHeight;
  return {
    read: async (window, into) => {
      const columns = sampleIndices(window.x, window.step, window.width, scaleX, mask.width);
      const rows = sampleIndices(window.y, window.step, window.height, scaleY, mask.height);
      sample(mask, columns, rows, window, into);
    },
    close: async () => {},
  };
}

/** Index of the mask pixel under each window pixel's centre, along one axis. */
export function sampleIndices(start: number, step: number, count: number, scale: number, size: number): Int32Array {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    indices[i] = Math.min(size - 1, Math.max(0, Math.floor((start + (i + 0.5) * step) * scale)));
  }
  return indices;
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
