import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { MaskImage } from '#src/evaluate/mask-image.js';

/** A folder for one test, removed by the caller through `remove`. */
export async function scratch(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'stromaflow-evaluate-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A decoded mask, of no stated spacing. */
export const maskOf = (width: number, height: number, values: Uint8Array): MaskImage => ({
  ...{ path: 'mask.png', width, height, values },
  spacing: undefined,
});

/** An RGB picture by formula. */
export async function writeImage(path: string, width: number, height: number): Promise<void> {
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const x = i % width;
    const y = Math.floor(i / width);
    data.set([200 - (x % 64), 120 + (y % 64), 180 - ((x + y) % 32)], i * 3);
  }
  await mkdir(dirname(path), { recursive: true });
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path);
}

export interface MaskOptions {
  /** Bits a sample of a grey or palette mask. */
  readonly depth?: 1 | 2 | 4 | 8;
  readonly palette?: boolean;
  /** Row filter 0–4 for every row; each row another one unless given. */
  readonly filter?: number;
}

/** Writes values as a grey or palette PNG of the given depth, byte by byte. */
export async function writeMask(
  path: string,
  width: number,
  height: number,
  value: (x: number, y: number) => number,
  options: MaskOptions = {},
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, encodeMask(width, height, value, options));
}

export function encodeMask(
  width: number,
  height: number,
  value: (x: number, y: number) => number,
  { depth = 8, palette = true, filter }: MaskOptions = {},
): Buffer {
  const rowBytes = Math.ceil((width * depth) / 8);
  const raw = Buffer.alloc((rowBytes + 1) * height);
  let above = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    const row = new Uint8Array(rowBytes);
    for (let x = 0; x < width; x++) {
      row[Math.floor((x * depth) / 8)]! |= value(x, y) << (8 - depth - ((x * depth) % 8));
    }
    const kind = filter ?? y % 5;
    const at = y * (rowBytes + 1);
    raw[at] = kind;
    for (let x = 0; x < rowBytes; x++) raw[at + 1 + x] = row[x]! - predict(kind, row, above, x);
    above = row;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, palette ? 3 : 0, 0, 0, 0], 8);
  const colours = Buffer.alloc(768);
  for (let i = 0; i < 256; i++) colours.set([(i * 67) % 256, (i * 151) % 256, (i * 211) % 256], i * 3);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', colours.subarray(0, 3 << depth))] : []),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function predict(kind: number, row: Uint8Array, above: Uint8Array, x: number): number {
  const a = x > 0 ? row[x - 1]! : 0;
  const b = above[x]!;
  const c = x > 0 ? above[x - 1]! : 0;
  if (kind < 4) return [0, a, b, (a + b) >> 1][kind]!;
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)] as const;
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
