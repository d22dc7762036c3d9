import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SimulateOptions } from '#src/simulate/simulate-scan.js';
import { SCAN_ORDERS, type ScanOrder, type ScanWay } from '#src/simulate/ways.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { OpenedSlide } from '#src/slide/slide.js';
import { type FileOptions, gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

/** A JPEG pyramid of three levels; its finest tile (1, 1) is not stored. */
export function pyramid(options: FileOptions = {}): Buffer {
  const level = (width: number, height: number, more: Partial<PageOptions> = {}): PageOptions => ({
    picture: gradient(width, height),
    tile: [32, 32],
    compression: 'jpeg',
    ...more,
  });
  return writeTiff(
    [
      level(300, 230, {
        resolution: 20_000,
        description: 'Aperio x|MPP = 0.5|AppMag = 20',
        missing: (col, row) => col === 1 && row === 1,
      }),
      level(150, 115, { subfileType: 1 }),
      // One tile: its offset stands inside the directory's entry.
      level(30, 23, { subfileType: 1 }),
    ],
    options,
  );
}

/** A hash of every tile's RGB, 'missing' where none is stored; keyed by level, column and row. */
export async function tilesOf({ source }: OpenedSlide): Promise<Record<string, string>> {
  const opened = await openTileSource(source);
  const tiles: Record<string, string> = {};
  try {
    for (const [level, { width, height, tileWidth, tileHeight }] of opened.levels.entries())
      for (let row = 0; row * tileHeight < height; row++)
        for (let col = 0; col * tileWidth < width; col++) {
          const rgb = Buffer.alloc(tileWidth * tileHeight * 3);
          const state = await opened.readTile(level, col, row, rgb);
          tiles[`${level}/${col}/${row}`] = state === 'missing' ? 'missing' : hashOf(rgb);
        }
  } finally {
    opened.close();
  }
  return tiles;
}

export const fast = (as: ScanWay, order: ScanOrder = 'rows', more: Partial<SimulateOptions> = {}): SimulateOptions => ({
  as,
  order,
  rate: 0,
  ...more,
});

/** Each way with each order. */
export const combinations = (ways: readonly ScanWay[]): [ScanWay, ScanOrder][] =>
  ways.flatMap(way => SCAN_ORDERS.map((order): [ScanWay, ScanOrder] => [way, order]));

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const bytesOf = (path: string): Buffer => readFileSync(path);
