/** The vocabulary of the slide room: what a slide is, and the two ports its formats implement. */

import type { SlideNote } from './note.js';
import type { PixelRectangle } from './rectangles.js';

/** Spacing in µm per pixel, an axis each. */
export interface AxisSpacing {
  readonly x: number;
  readonly y: number;
}

/** A rectangle in level-0 pixels. */
export interface SlideBounds {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One resolution of a slide. Level 0 is the finest. */
export interface LevelGeometry {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Level-0 pixels per pixel of this level, ≥ 1: by stated spacings where there are any, else by sizes. */
  readonly downsample: number;
  /** Spacing in µm per pixel of this level (mpp of level 0 × downsample). */
  readonly mpp: number;
  /** Stored tile size in pixels; a strip is a tile as wide as the level. */
  readonly tileWidth: number;
  readonly tileHeight: number;
}

export interface SlideInfo {
  /** Name that is safe in a NATS subject and a folder name: [A-Za-z0-9_-]+. */
  readonly id: string;
  readonly path: string;
  /** For people: 'Aperio SVS', 'generic tiled TIFF', … */
  readonly format: string;
  /** Spacing of level 0 in µm/px: the geometric mean of both axes, so that its square is the area of a pixel. */
  readonly mpp: number;
  /** Of level 0, where the slide states one for each axis and they differ. */
  readonly axes?: AxisSpacing;
  readonly levels: readonly LevelGeometry[];
  /** Changes when the file's content may have: size, modification time, and a hash of pieces of it. */
  readonly fingerprint: string;
  /** Acquisition facts only (objective, scanner, ICC present); never patient data, labels or free text. */
  readonly properties: Readonly<Record<string, string>>;
  /** The scanned part of the slide's frame, where its format states one. QuPath shows this part alone, with its corner as origin. */
  readonly bounds?: SlideBounds;
  /** What a person must know to read the result right; absent: nothing. */
  readonly notes?: readonly SlideNote[];
}

/** What a reader thread needs to open the slide's pixels: plain data, cloned to every thread. */
export type TileSourceDescription = { readonly kind: string; readonly path: string } & Readonly<
  Record<string, unknown>
>;

/** What was asked of a server and came. */
export interface RemoteTraffic {
  /** Repeated ones included. */
  readonly requests: number;
  readonly repeated: number;
  /** Bytes of content. */
  readonly bytes: number;
}

/** A slide's file that is fetched from a server by this process, for all its threads. */
export interface RemoteBytes {
  /** So far. */
  readonly traffic: RemoteTraffic;
  /** Fetches parts that will be read; settles when they are there, or cannot be had. */
  ahead(parts: readonly { readonly offset: number; readonly length: number }[]): Promise<void>;
  /** Ends all reading. */
  close(): void;
}

/** A slide opened on the main thread: facts for the plan, and a description for the reader threads. */
export interface OpenedSlide {
  readonly info: SlideInfo;
  readonly source: TileSourceDescription;
  /** How the tiles of a level stand; absent where nobody but the reader finds out. */
  stored?(level: number): StoredTiles;
  /** Of a slide at an address; whoever opened the slide closes it. */
  readonly remote?: RemoteBytes;
}

/** Tiles of a level: those that its slide lists, those that are there, and those that finer levels have instead. */
export interface StoredTiles {
  readonly expected: number;
  readonly seen: number;
  /** Of those that are not there. */
  readonly drawn: number;
  /** What is not there was not scanned: the format leaves it out, or the end of the slide was declared. */
  readonly sparse?: boolean;
}

/**
 * 'missing': the slide stores no pixels there, in this level; the buffer is left untouched. With `gaps` a part of the tile is decoded: the
 * rest, rectangles in its pixels that do not overlap, is white.
 */
export type TileState = 'decoded' | 'missing' | { readonly gaps: readonly PixelRectangle[] };

/**
 * Port of a format, living in a reader thread. Implementations decode synchronously where their codec can.
 * Failures are StromaflowErrors with code TILE_CORRUPT or SLIDE_UNREADABLE.
 */
export interface TileSource {
  readonly levels: readonly LevelGeometry[];
  /** What one level does not store no finer one does either: nothing is gained by looking there. */
  readonly sameInAllLevels?: boolean;
  /**
   * Decodes one whole stored tile to RGB, 8 bits a sample, interleaved, row stride tileWidth × 3, into `into`
   * (tileWidth × tileHeight × 3 bytes). Pixels past the edge of the level are undefined.
   */
  readTile(level: number, col: number, row: number, into: Uint8Array): TileState | Promise<TileState>;
  close(): void;
}
