import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { StromaflowError } from '../errors.js';
import type { Split } from '../evaluate/split.js';
import { writeFinal } from '../store/final-file.js';
import { acquireLock, type FolderLock, LockHeldError } from '../store/folder-lock.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { learningCurves } from './curves.js';
import type { EpochLine } from './progress.js';
import type { RunRecipe } from './recipe.js';
import { runError } from './run-error.js';
import { type BundleToWrite, writeBundle } from './write-bundle.js';

/** config.json of a run. What stands in `run` decides its result: a run is gone on from only where all of it is the same. */
export interface RunConfig {
  readonly format: 'stromaflow-run/1';
  readonly run: {
    readonly recipe: RunRecipe;
    /** What it begins with: an architecture and a seed, or files by their hashes. */
    readonly start: Readonly<Record<string, unknown>>;
    readonly spacing: number;
    readonly patchSize: number;
    readonly splitHash: string;
    /** PatchIndex.hash. */
    readonly patchesHash: string;
  };
  /** Told for people; may change from one session of a run to the next. */
  readonly told: Readonly<Record<string, unknown>>;
}

/** Folder of a run: <runs>/<name>/. Opened by one process at a time. */
export class RunFolder {
  readonly path: string;
  readonly #lock: FolderLock;

  /**
   * @param fresh what an earlier run left is removed
   * @throws USAGE when another process uses it, OUTPUT_FAILED
   */
  static async open(path: string, fresh: boolean): Promise<RunFolder> {
    try {
      await mkdir(path, { recursive: true });
      const lock = await acquireLock(join(path, '.lock'));
      const folder = new RunFolder(path, lock);
      if (fresh) await folder.#clear();
      await folder.#mend();
      return folder;
    } catch (error) {
      if (!(error instanceof LockHeldError)) throw runError(error, path);
      throw new StromaflowError('USAGE', `${path}: ${error.message}`, {
        cause: error,
        fix: 'wait for that run to end, or choose another --name',
      });
    }
  }

  private constructor(path: string, lock: FolderLock) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Notes what the run is, or compares it with what was noted.
   * @returns the checkpoint to go on from
   * @throws USAGE where the run was begun otherwise, naming what differs
   */
  async begin(config: RunConfig, split: Split): Promise<Checkpoint | undefined> {
    const known = (await this.#json('config.json')) as RunConfig | undefined;
    if (known) {
      const wanted: Record<string, unknown> = JSON.parse(JSON.stringify(config.run));
      const differs = Object.keys(wanted).filter(
        name => !isDeepStrictEqual(wanted[name], known.run[name as keyof RunConfig['run']]),
      );
      if (differs.length > 0) {
        throw new StromaflowError(
          'USAGE',
          `${this.path} holds a run begun otherwise: ${describe(differs, known, wanted)}`,
          {
            fix: 'give it the same options and data to go on, another --name, or --fresh to begin anew',
          },
        );
      }
    }
    this.#write('split.json', `${JSON.stringify(split, null, 1)}\n`);
    this.#write('config.json', `${JSON.stringify(config, null, 2)}\n`);
    return readCheckpoint(this.path);
  }

  /** @throws OUTPUT_FULL where the files of a run with so many parameters, and perhaps a teacher, have no room */
  async checkSpace(parameters: number, teacher = false): Promise<void> {
    const { bavail, bsize } = await statfs(this.path);
    // Two checkpoints of weights, both moments of Adam and the teacher, two bundles and their successors, four bytes a number.
    const each = parameters * 4 * (teacher ? 6 : 5);
    const needed = 2 * each - (existsSync(join(this.path, 'config.json')) ? each : 0);
    const free = bavail * bsize;
    if (free >= needed) return;
    const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
    throw new StromaflowError('OUTPUT_FULL', `${this.path}: a run needs ${mb(needed)}, ${mb(free)} are free`, {
      fix: 'free space on the disk of --runs and start again',
    });
  }

  checkpoint(checkpoint: Checkpoint): Promise<void> {
    return writeCheckpoint(this.path, checkpoint);
  }

  bundle(name: 'best' | 'last', bundle: BundleToWrite): Promise<void> {
    return writeBundle(join(this.path, name), bundle);
  }

  /** metrics.jsonl and curves.svg. */
  history(history: readonly EpochLine[], title: string): void {
    this.#write('metrics.jsonl', history.map(line => `${JSON.stringify(line)}\n`).join(''));
    this.#write('curves.svg', learningCurves(history, title));
  }

  /** Where an epoch's pictures go. */
  async examplesOf(epoch: number): Promise<string> {
    const folder = join(this.path, 'examples');
    await mkdir(folder, { recursive: true });
    return join(folder, `epoch-${String(epoch).padStart(3, '0')}.jpg`);
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  #write(name: string, content: string): void {
    try {
      writeFinal(this.path, name, put => put(content), this.path, `${name}.partial`);
    } catch (error) {
      throw runError(error, join(this.path, name));
    }
  }

  async #json(name: string): Promise<unknown> {
    const path = join(this.path, name);
    try {
      return JSON.parse(await readFile(path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new StromaflowError('OUTPUT_FAILED', `${path}: cannot be read`, {
        cause: error,
        fix: 'begin anew with --fresh',
      });
    }
  }

  /** A crash between the two renames of a bundle leaves the old one beside its place. */
  async #mend(): Promise<void> {
    for (const name of ['best', 'last']) {
      const [place, old] = [join(this.path, name), join(this.path, `${name}.old`)];
      if (!existsSync(place) && existsSync(old)) await rename(old, place);
    }
  }

  async #clear(): Promise<void> {
    for (const name of RUN_FILES) await rm(join(this.path, name), { recursive: true, force: true });
  }
}

/** What a run writes, and nothing else, so that `--fresh` never takes what somebody else put there. */
const RUN_FILES = [
  ...['config.json', 'split.json', 'metrics.jsonl', 'curves.svg', 'checkpoint.safetensors', 'examples'],
  ...['best', 'best.old', 'best.partial', 'last', 'last.old', 'last.partial'],
];

/** Stands for a split in config.json and in the bundles: SHA-256, hex, of what it says. */
export const splitHash = (split: Split): string => createHash('sha256').update(JSON.stringify(split)).digest('hex');

/** What differs, with both values where they are short. */
function describe(names: readonly string[], known: RunConfig, wanted: Record<string, unknown>): string {
  const before = known.run as unknown as Record<string, unknown>;
  return names
    .flatMap(name => {
      const [had, has] = [before[name], wanted[name]];
      if (typeof had !== 'object' || typeof has !== 'object' || had === null || has === null)
        return [phrase(name, had, has)];
      const [a, b] = [had as Record<string, unknown>, has as Record<string, unknown>];
      const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
        key => !isDeepStrictEqual(a[key], b[key]),
      );
      return keys.map(key => phrase(key, a[key], b[key]));
    })
    .join('; ');
}

function phrase(name: string, had: unknown, has: unknown): string {
  const told = TOLD[name];
  return told ?? `${name} was ${JSON.stringify(had) ?? 'not given'}, is ${JSON.stringify(has) ?? 'not given'}`;
}

const TOLD: Readonly<Record<string, string>> = {
  splitHash: 'by another split',
  patchesHash: 'from other images, labels or patches',
};
