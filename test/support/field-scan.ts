import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { SLIDE } from './paths.js';

/** Fields of the CC0 slide, cut out where a microscope's stage would have stood. */
export interface FieldScanOptions {
  readonly cols: number;
  readonly rows: number;
  /** Pixels of a field. */
  readonly width: number;
  readonly height: number;
  /** Pixels from one field to the next; need not be whole. */
  readonly step: readonly [across: number, down: number];
  /** What the stage is off by at a field, in pixels. */
  readonly jitter?: (col: number, row: number) => readonly [number, number];
  readonly extension?: 'png' | 'tiff' | 'bmp' | 'jpg';
  readonly left?: number;
  readonly top?: number;
}

export interface Field {
  readonly col: number;
  readonly row: number;
  /** Upper left corner in the slide; the image is cut at the nearest pixel. */
  readonly x: number;
  readonly y: number;
}

export const MPP = 0.5;

/** The fields row by row, every other row backwards, as a stage moves. */
export function fieldsOf({ cols, rows, step, jitter, left = 200, top = 100 }: FieldScanOptions): Field[] {
  return Array.from({ length: cols * rows }, (_, index) => {
    const row = Math.floor(index / cols);
    const along = index % cols;
    const col = row % 2 === 0 ? along : cols - 1 - along;
    const [dx, dy] = jitter?.(col, row) ?? [0, 0];
    return { col, row, x: left + col * step[0] + dx, y: top + row * step[1] + dy };
  });
}

const pixels = sharp(SLIDE, { page: 0 }).removeAlpha().raw().toBuffer({ resolveWithObject: true });

/** A rectangle of the slide. */
export async function cutOut(left: number, top: number, width: number, height: number) {
  const { data, info } = await pixels;
  const { width: across, height: down } = info;
  return sharp(data, { raw: { width: across, height: down, channels: 3 } }).extract({ left, top, width, height });
}

/** The image of one field. */
export async function fieldImage({ x, y }: Field, { width, height, extension = 'png' }: FieldScanOptions) {
  const image = await cutOut(Math.round(x), Math.round(y), width, height);
  if (extension === 'bmp') return bitmap(await image.raw().toBuffer(), width, height);
  if (extension === 'tiff') return image.tiff({ compression: 'none' }).toBuffer();
  return extension === 'jpg' ? image.jpeg({ quality: 95 }).toBuffer() : image.png({ compressionLevel: 1 }).toBuffer();
}

/** A bitmap of 24 bits, as imageio writes it. */
export function bitmap(rgb: Buffer, width: number, height: number): Buffer {
  const stride = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + stride * height);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 3;
      const to = 54 + (height - 1 - y) * stride + x * 3;
      bytes.set([rgb[from + 2]!, rgb[from + 1]!, rgb[from]!], to);
    }
  return bytes;
}

/** What Squid says of a camera of 5 µm pixels binned, an objective of 10× made for 180 mm, behind a lens of 180 mm: 0.5 µm/px. */
export const PARAMETERS = {
  'dx(mm)': 0.9,
  Nx: 1,
  'dy(mm)': 0.9,
  Ny: 1,
  Nz: 1,
  Nt: 1,
  objective: { magnification: 10, NA: 0.3, tube_lens_f_mm: 180, name: '10x' },
  sensor_pixel_size_um: 5,
  tube_lens_mm: 180,
};

export const mm = (px: number): number => (px * MPP) / 1000;

/** Writes as Python's open does: at once, or piece by piece. */
export async function writeSlowly(path: string, text: string, pieces = 3): Promise<void> {
  for (let piece = 1; piece <= pieces; piece++) {
    writeFileSync(path, text.slice(0, Math.ceil((text.length * piece) / pieces)));
    await sleep(20);
  }
}

/** Puts an image in place as a program does that writes it bit by bit, half of it seen first. */
export async function writeImage(path: string, bytes: Buffer): Promise<void> {
  writeFileSync(path, bytes.subarray(0, bytes.length / 2));
  await sleep(3);
  writeFileSync(path, bytes);
}

/** An acquisition's folder, made under its final name. */
export function acquisition(folder: string, name: string, parameters: object = PARAMETERS): string {
  const path = join(folder, name);
  mkdirSync(`${path}.tmp`, { recursive: true });
  writeFileSync(join(`${path}.tmp`, 'acquisition parameters.json'), JSON.stringify(parameters));
  renameSync(`${path}.tmp`, path);
  return path;
}
