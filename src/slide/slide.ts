/** The vocabulary of the slide room: what a slide is, and the two ports its formats implement. */

/** One resolution of a slide. Level 0 is the finest. */
export interface LevelGeometry {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Level-0 pixels per pixel of this level, ≥ 1; the mean of both axes. */
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
  /** Spacing of level 0 in µm/px, mean of both axes. */
  readonly mpp: number;
  readonly levels: readonly LevelGeometry[];
  /** Changes when the file's content may have: size, modification time, and a hash of pieces of it. */
  readonly fingerprint: string;
  /** Acquisition facts only (objective, scanner, ICC present); never patient data, labels or free text. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What a reader thread needs to open the slide's pixels: plain data, cloned to every thread. */
export type TileSourceDescription = { readonly kind: string; readonly path: string } & Readonly<
  Record<string, unknown>
>;

/** A slide opened on the main thread: facts for the plan, and a description for the reader threads. */
export interface OpenedSlide {
  readonly info: SlideInfo;
  readonly source: TileSourceDescription;
  /** Of slides whose tiles lie in files of their own, when they were opened as finished ones. */
  stored?(level: number): StoredTiles;
}

/** Tiles of a level: those that were to be written, and those that are there. */
export interface StoredTiles {
  readonly expected: number;
  readonly seen: number;
}

/** 'missing': the file stores no pixels there (sparse); the buffer is left untouched. */
export type TileState = 'decoded' | 'missing';

/**
 * Port of a format, living in a reader thread. Implementations decode synchronously where their codec can.
 * Failures are StromaflowErrors with code TILE_CORRUPT or SLIDE_UNREADABLE.
 */
export interface TileSource {
  readonly levels: readonly LevelGeometry[];
  /**
   * Decodes one whole stored tile to RGB, 8 bits a sample, interleaved, row stride tileWidth × 3, into `into`
   * (tileWidth × tileHeight × 3 bytes). Pixels past the edge of the level are undefined.
   */
  readTile(level: number, col: number, row: number, into: Uint8Array): TileState | Promise<TileState>;
  close(): void;
}
