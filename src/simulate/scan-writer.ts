/** A stored tile: level, and its place in the level's grid. */
export interface TilePlace {
  readonly level: number;
  readonly col: number;
  readonly row: number;
}

/** Port of one way of writing a slide. */
export interface ScanWriter {
  /** What the watcher should see when the scan is finished. */
  readonly path: string;
  /** Puts one tile's compressed bytes on disk; a place that comes again replaces what was there. */
  tile(place: TilePlace, bytes: Uint8Array): Promise<void>;
  /** Completes the slide. */
  finish(): Promise<void>;
  /** Lets go of open files, finished or not; what is on disk stays. */
  close(): Promise<void>;
}

export interface ScanSettings {
  /** What will be written, in this order: file sizes are known before the first tile. */
  readonly steps: readonly TilePlace[];
  readonly preallocate?: boolean;
  readonly lateManifest?: boolean;
  readonly checkpoint?: number;
  readonly partTiles?: number;
  readonly sparse?: boolean;
}
