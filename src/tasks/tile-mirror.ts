import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, sep } from 'node:path';
import { StromaflowError } from '../errors.js';
import type { PatchPlan } from '../read/patch.js';
import { visitTiles } from '../read/visit-tiles.js';
import { gridOf, SHIPPED_KIND, type ShippedDescription } from '../slide/shipped-source.js';
import type { LevelGeometry, TileSourceDescription } from '../slide/slide.js';
import { type StoredPiece, storedPieces } from '../slide/stored-bytes.js';
import { isUnwritten } from '../slide/unwritten.js';
import { type PieceBytes, pieceName } from './pieces.js';

const FOLDER = 'stromaflow-tiles-';

/** Fetches a piece; undefined where it is in the stream no more. */
export type FetchPiece = (piece: string) => Promise<PieceBytes | undefined>;

/** Of a piece that was fetched: something of it was written; nothing was; there is no such file; nobody knows. */
type Brought = 'written' | 'blank' | 'absent' | 'unread';

/** Its pieces went out of the stream: nobody waits for the task that needs them. */
class Gone extends Error {}

/**
 * Those pieces of a slide's files that came, each at the place that it has in its file, in a folder of this process: what reads the slide there
 * reads it here. Room that nothing was written into is never taken for pixels (shipped-source.ts).
 */
export class TileMirror {
  readonly #folder: string;
  readonly #brought = new Map<string, Promise<Brought>>();
  readonly #folders = new Map<string, Promise<unknown>>();
  #bytes = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** In the system's folder for temporary files. */
  static async create(): Promise<TileMirror> {
    return new TileMirror(await realpath(await mkdtemp(join(tmpdir(), `${FOLDER}${process.pid}-`))));
  }

  /** Deletes what processes left that were killed. */
  static async sweep(): Promise<void> {
    for (const name of await readdir(tmpdir()).catch(() => [])) {
      const pid = name.startsWith(FOLDER) ? Number.parseInt(name.slice(FOLDER.length), 10) : Number.NaN;
      if (pid > 0 && !isAlive(pid))
        await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** Bytes that came. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A path of the slide's, here. @throws EVENT_INVALID for one that would lead out of the folder. */
  readonly place = (path: string): string => {
    const at = join(this.#folder, normalize(join(sep, path)));
    if (normalize(path) === path && at.startsWith(this.#folder + sep)) return at;
    throw new StromaflowError('EVENT_INVALID', `${path}: is not the path of a slide's file`);
  };

  /** @param inner the slide's source, with its paths here. */
  async describe(inner: TileSourceDescription, levels: readonly LevelGeometry[]): Promise<ShippedDescription> {
    const opened = inner.kind === 'tiff' ? inner.path : inner['manifest'];
    if (typeof opened === 'string') {
      await mkdir(dirname(opened), { recursive: true });
      await (await open(opened, 'a')).close();
    }
    const here = levels.map(level => {
      const { cols, rows } = gridOf(level);
      return new Uint8Array(new SharedArrayBuffer(cols * rows));
    });
    return { kind: SHIPPED_KIND, path: inner.path, inner, here };
  }

  /**
   * Brings all that patches are read from. False where some of it is in the stream no more.
   *
   * @param source as ingest has it.
   * @throws whatever `fetch` does, OUTPUT_FAILED
   */
  async bring(
    source: TileSourceDescription,
    levels: readonly LevelGeometry[],
    plan: PatchPlan,
    patches: readonly (readonly [col: number, row: number])[],
    { here }: ShippedDescription,
    fetch: FetchPiece,
  ): Promise<boolean> {
    const piecesOf = storedPieces(source);
    const bring = async (level: number, col: number, row: number): Promise<boolean> => {
      const states = await Promise.all(piecesOf(level, col, row).map(piece => this.#bring(piece, fetch)));
      if (states.includes('unread')) return true;
      here[level]![row * gridOf(levels[level]!).cols + col] = 1;
      return states.includes('written');
    };
    try {
      await Promise.all(patches.map(([col, row]) => visitTiles(levels, plan, { col, row }, bring)));
      return true;
    } catch (error) {
      if (error instanceof Gone) return false;
      throw error;
    }
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #bring(stored: StoredPiece, fetch: FetchPiece): Promise<Brought> {
    const piece = pieceName(stored);
    const known = this.#brought.get(piece);
    if (known) return known;
    const brought = this.#fetch(stored, piece, fetch);
    this.#brought.set(piece, brought);
    // What could not be read, or was not there, may be later.
    const forget = (): void => void this.#brought.delete(piece);
    brought.then(state => (state === 'unread' || state === 'absent') && forget(), forget);
    return brought;
  }

  async #fetch(stored: StoredPiece, piece: string, fetch: FetchPiece): Promise<Brought> {
    const bytes = await fetch(piece);
    if (bytes === undefined) throw new Gone(piece);
    if (typeof bytes === 'string') return bytes;
    this.#bytes += bytes.length;
    try {
      await this.#write(stored, bytes);
    } catch (cause) {
      throw new StromaflowError('OUTPUT_FAILED', `${this.#folder}: cannot be written`, {
        cause,
        fix: 'the folder for temporary files must have room for the tiles of eight slides; TMPDIR names another',
      });
    }
    return bytes.length > 0 && !isUnwritten(bytes) ? 'written' : 'blank';
  }

  async #write({ path, offset, length }: StoredPiece, bytes: Uint8Array): Promise<void> {
    const at = this.place(path);
    const folder = dirname(at);
    const made = this.#folders.get(folder) ?? mkdir(folder, { recursive: true });
    this.#folders.set(folder, made);
    await made;
    if (length === undefined) return writeFile(at, bytes);
    const file = await open(at, constants.O_RDWR | constants.O_CREAT);
    try {
      await file.write(bytes, 0, bytes.length, offset);
    } finally {
      await file.close();
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
