import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openDicomSeries } from '#src/live/dicom/open-series.js';
import { SeriesIndex } from '#src/live/dicom/series-index.js';
import type { LiveSlide } from '#src/live/live-slide.js';
import type { WholeSlide } from '#src/live/whole-slide.js';
import { TAG } from '#src/slide/dicom/tags.js';
import type { OpenedSlide } from '#src/slide/slide.js';
import { seenFile } from '#src/watch/folder-tree.js';
import type { Presence } from '#src/watch/presence.js';
import { type InstanceOptions, writeInstance } from '../../slide/dicom/instance-writer.js';
import { cut, gradient } from '../../slide/tiff-writer.js';
import { temporaryFolder } from '../../support/temporary.js';

export const PICTURE = gradient(100, 70);
/** 4 × 3 tiles. */
export const TILES = 12;
const BASE: InstanceOptions = { picture: PICTURE, tile: [32, 24], spacing: [0.00025, 0.00025] };

/** An instance that says of itself which one it is. */
export const instance = (uid: string, options: Partial<InstanceOptions> = {}): Buffer =>
  writeInstance({ ...BASE, ...options, extra: [[TAG.sopInstanceUid, 'UI', uid], ...(options.extra ?? [])] });

/** The level at half the resolution, of 2 × 2 tiles. */
export const half = (uid: string, options: Partial<InstanceOptions> = {}): Buffer =>
  instance(uid, {
    picture: cut(PICTURE, 0, 0, 50, 35),
    number: 2,
    spacing: [0.0005, 0.0005],
    resampled: true,
    ...options,
  });

/** The finest level as a concatenation of parts with so many frames each. */
export function concatenation(sizes: readonly number[], options: Partial<InstanceOptions> = {}): Buffer[] {
  const all = Array.from({ length: TILES }, (_, i) => [i % 4, Math.floor(i / 4)] as const);
  let before = 0;
  return sizes.map((size, index) => {
    const places = (options.places ?? all).slice(before, before + size);
    const part = { part: index + 1, parts: sizes.length, before };
    before += size;
    return instance(`2.${index + 1}`, { ...options, places, concatenation: { ...part, ...options.concatenation } });
  });
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function emptyFolder(): string {
  const folder = temporaryFolder('dicom');
  folders.push(folder);
  return folder;
}

/** A watched folder, and what the watcher would know of it. */
export class GrowingFolder {
  readonly path = emptyFolder();
  readonly index = new SeriesIndex(join(this.path, '..'));
  readonly options = {
    pollSeconds: 0.01,
    stallSeconds: 0.3,
    settleSeconds: 0.1,
    events: false,
    id: 'slide',
    spacing: 0.25,
  };

  /** Puts a file there in one step, as a rename does. */
  put(name: string, bytes: Uint8Array): string {
    const path = join(this.path, name);
    writeFileSync(`${path}.tmp`, bytes);
    renameSync(`${path}.tmp`, path);
    return path;
  }

  /** Looks at the folder as the watcher does; the slides that files are part of. */
  notice(): Set<string | null | undefined> {
    const names = readdirSync(this.path).filter(name => /\.dcm$/.test(name));
    const seen = names.map(name => {
      const path = join(this.path, name);
      return seenFile(path, statSync(path));
    });
    this.index.keep(new Set(seen.map(({ path }) => path)));
    return new Set(seen.map(file => this.index.slideOf(file)));
  }

  /** @param more facts of the watcher, and options. */
  async open(
    more: { quiet?: number; spacing?: number; mpp?: number; stallSeconds?: number; presence?: Presence } = {},
  ): Promise<LiveSlide | OpenedSlide | 'later' | undefined> {
    const opened = await this.openCandidate(more);
    if (opened === undefined) return undefined;
    if ('later' in opened) return 'later';
    if ('value' in opened) return 'follow' in opened.value ? opened.value : whole(opened.value);
    throw new Error('several slides');
  }

  /** As the watcher gets it. */
  async openCandidate(more: Parameters<GrowingFolder['open']>[0] = {}): ReturnType<typeof openDicomSeries> {
    this.notice();
    const { quiet = 0, ...options } = more;
    const facts = { settled: false, renamed: false, quiet, notes: {} };
    return openDicomSeries(this.index.find(this.path)!, facts, { ...this.options, ...options });
  }

  async openLive(more: Parameters<GrowingFolder['open']>[0] = {}): Promise<LiveSlide> {
    const opened = await this.open(more);
    if (opened === undefined || opened === 'later' || !('follow' in opened)) throw new Error('not opened as growing');
    return opened;
  }
}

function whole(slide: WholeSlide): OpenedSlide {
  slide.close();
  return slide.opened;
}

/** Follows a slide to its end: the tiles of each arrival, in their order. */
export async function follow(
  live: LiveSlide,
  onArrival: (tiles: readonly number[]) => unknown = () => undefined,
  level = 0,
): Promise<number[][]> {
  const came: number[][] = [];
  for await (const { tiles } of live.follow(level, new AbortController().signal)) {
    came.push([...tiles]);
    await onArrival(tiles);
  }
  await live.close();
  return came;
}
