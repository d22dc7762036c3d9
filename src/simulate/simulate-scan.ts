import { toStromaflowError } from '../errors.js';
import { makeFolder } from '../process/make-folder.js';
import { openCheckpointedTiff } from './checkpointed-tiff.js';
import { corrupt } from './corrupt.js';
import { openDicomFolder } from './dicom-folder.js';
import { openFinishedTiff } from './finished-tiff.js';
import { openGrowingTiff } from './growing-tiff.js';
import { openNdTiffFolder } from './ndtiff-folder.js';
import { createPace } from './pace.js';
import type { ScanSettings, ScanWriter, TilePlace } from './scan-writer.js';
import type { SourceSlide } from './source.js';
import { openSourceSlide } from './source-slide.js';
import { openTileFolder } from './tile-folder.js';
import { planScan } from './tile-order.js';
import type { ScanOrder, ScanWay } from './ways.js';

export interface SimulateOptions {
  readonly as: ScanWay;
  readonly order: ScanOrder;
  /** Tiles a second; 0 is as fast as the disk takes them. */
  readonly rate: number;
  /** Seconds of silence when half of the tiles are written. */
  readonly stall?: number;
  /** Tiles that are never written, written damaged, or written twice: three sets that do not overlap. */
  readonly drop?: number;
  readonly corrupt?: number;
  readonly duplicate?: number;
  /** Level the faults fall on; 0 unless given. */
  readonly faultLevel?: number;
  /** Reserve the final size first, as Samba and NDTiff writers do. */
  readonly preallocate?: boolean;
  /** The manifest of a tile folder comes last instead of first. */
  readonly lateManifest?: boolean;
  /** µm/px of level 0 for ways that state it, where the slide does not. */
  readonly mpp?: number | undefined;
  /** Tiles between two checkpoints of 'checkpointed-tiff'; 32 unless given. */
  readonly checkpoint?: number;
  /** Frames of a part of a DICOM concatenation; 0, as unless given, makes a level one instance. */
  readonly partTiles?: number;
  /** DICOM frames state their places (TILED_SPARSE), even where their order would do. */
  readonly sparse?: boolean;
  /** Chooses the random order and the faults: the same seed writes the same bytes. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** After the tile can be seen on disk; a promise it returns is waited for. */
  readonly onTile?: (level: number, col: number, row: number) => unknown;
}

/** What a simulated scan left on disk. */
export interface SimulatedScan {
  /** The slide as the watcher should see it: a file, or the folder of its parts. */
  readonly path: string;
  /** Tiles written, each counted once. */
  readonly tiles: number;
  readonly dropped: readonly TilePlace[];
  readonly corrupted: readonly TilePlace[];
  readonly duplicated: readonly TilePlace[];
}

/**
 * Plays a slide into a folder as a scanner would, from the slide's own compressed tiles, finest level first. When it is
 * aborted, the folder stays as a scanner that lost power leaves it.
 *
 * @param folder is made when it does not exist.
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE, SLIDE_UNSUPPORTED (its codec does not fit the way), SLIDE_NO_MPP,
 * OUTPUT_FAILED, OUTPUT_FULL; the signal's reason when aborted.
 */
export async function simulateScan(slide: string, folder: string, options: SimulateOptions): Promise<SimulatedScan> {
  const { signal, stall = 0 } = options;
  signal?.throwIfAborted();
  const source = await openSourceSlide(slide, options.mpp);
  try {
    const plan = planScan(ONE_LEVEL.has(options.as) ? source.levels.slice(0, 1) : source.levels, options);
    const pace = createPace(options.rate, { signal });
    const damaged = new Set(plan.corrupted.map(key));
    const half = Math.floor(plan.steps.length / 2);
    const writer = await writing(folder, async () => {
      await makeFolder(folder);
      return WAYS[options.as](source, folder, { ...options, steps: plan.steps });
    });
    try {
      for (const [index, place] of plan.steps.entries()) {
        await pace.next();
        if (index === half && stall > 0) await pace.stall(stall);
        const level = source.levels[place.level]!;
        const stored = await source.read(place.level, place.row * level.cols + place.col);
        const bytes = damaged.has(key(place)) ? corrupt(stored, level.compression) : stored;
        await writing(folder, () => writer.tile(place, bytes));
        await options.onTile?.(place.level, place.col, place.row);
      }
      await writing(folder, () => writer.finish());
    } finally {
      await writer.close();
    }
    const { dropped, corrupted, duplicated } = plan;
    return { path: writer.path, tiles: plan.steps.length - duplicated.length, dropped, corrupted, duplicated };
  } finally {
    await source.close();
  }
}

type OpenWriter = (source: SourceSlide, folder: string, settings: ScanSettings) => Promise<ScanWriter>;

const WAYS: Readonly<Record<ScanWay, OpenWriter>> = {
  rename: (source, folder, settings) => openFinishedTiff(source, folder, settings, 'rename'),
  'growing-tiff': openGrowingTiff,
  'checkpointed-tiff': openCheckpointedTiff,
  'tile-folder': openTileFolder,
  dicom: openDicomFolder,
  ndtiff: openNdTiffFolder,
  copy: (source, folder, settings) => openFinishedTiff(source, folder, settings, 'copy'),
};

/** Ways that write the finest level only. */
const ONE_LEVEL: ReadonlySet<ScanWay> = new Set<ScanWay>(['ndtiff']);

const key = ({ level, col, row }: TilePlace): string => `${level}/${col}/${row}`;

async function writing<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStromaflowError(error, 'OUTPUT_FAILED', folder);
  }
}
