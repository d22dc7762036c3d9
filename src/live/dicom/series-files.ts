import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { StromaflowError } from '../../errors.js';
import type { InstanceHeader } from '../../slide/dicom/instance.js';
import { seenFile } from '../../watch/folder-tree.js';
import type { SlideParts } from '../../watch/slide-parts.js';
import { InstanceFile } from './instance-file.js';

/** File systems stamp folders by up to two seconds: one that was seen to change this recently is listed again. */
const RECENT_MS = 3000;
/** Whole files asked in one look whether they changed, in turn: a level may have a thousand. */
const ASKED_A_LOOK = 64;
/** Files parsed without giving anything else a turn. */
const PARSED_A_TURN = 8;

/** Eight digits of a hash: a UID says where and when a slide was scanned. */
export const seriesTag = (series: string): string => createHash('sha256').update(series).digest('hex').slice(0, 8);

/** The files of one slide in a folder: known from look to look, and from one opening of the slide to the next. */
export class SeriesFiles {
  readonly folder: string;
  /** The slide's path (SeriesIndex). */
  readonly path: string;
  /** The level that was read last, to its end: its name (followedName) and content. */
  followed: { readonly name: string; readonly content: string } | undefined;
  /** It stalled when it was followed last: what came since is late, and counted so. */
  hasStalled = false;
  /** Short, and another one for each series. */
  readonly tag: string;
  readonly #series: string;
  readonly #parts: SlideParts;
  readonly #files = new Map<string, InstanceFile>();
  /** The folder's time, since when it was seen, and when it was listed last (performance.now()). */
  #listed: { readonly mtimeMs: number; readonly since: number; readonly at: number } | undefined;
  /** Names whose head is not there yet: it comes without changing the folder. */
  readonly #unknown = new Set<string>();
  /** Names that others found to be of this slide, and that no look has met yet. */
  readonly #told = new Set<string>();
  #turn = 0;
  #changes = 0;

  constructor(folder: string, path: string, series: string, parts: SlideParts) {
    this.folder = folder;
    this.path = path;
    this.tag = seriesTag(series);
    this.#series = series;
    this.#parts = parts;
  }

  /** By name. */
  get files(): ReadonlyMap<string, InstanceFile> {
    return this.#files;
  }

  get headers(): InstanceHeader[] {
    return [...this.#files.values()].flatMap(({ header }) => (header && this.holds(header) ? header : []));
  }

  /** All files are whole beyond doubt: nothing is known later that is not known now, unless one changes. */
  get isReady(): boolean {
    for (const file of this.#files.values()) if (!file.isReady) return false;
    return true;
  }

  /** A file may come to hold another slide's instance. */
  holds({ facts }: InstanceHeader): boolean {
    return facts.series === this.#series;
  }

  /** Why one of the files is not whole. */
  get error(): StromaflowError | undefined {
    for (const { error } of this.#files.values()) if (error) return error;
    return undefined;
  }

  /** The watcher found a file of this slide, which its name or its first bytes may not have shown when the folder was listed. */
  expect(name: string): void {
    if (!this.#files.has(name)) this.#told.add(name);
  }

  /** Grows whenever a look finds something otherwise than the last one, also when that look then fails. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Looks what came, grew, changed or went.
   *
   * @param all ask every file, and do not wait for one that may grow to stand still.
   */
  async look(all = false): Promise<void> {
    const before = this.#listed;
    this.#list();
    // A file that another was renamed over shows in the folder's time only.
    const askAll = all || this.#listed !== before;
    let parsed = 0;
    const whole: InstanceFile[] = [];
    for (const file of this.#files.values()) {
      if (file.isReady && !all) {
        whole.push(file);
        continue;
      }
      if (!(await file.look(all))) continue;
      this.#changes += 1;
      // Headers are read synchronously; a folder of many files must not hold up everything else.
      if (++parsed % PARSED_A_TURN === 0) await setImmediate();
    }
    const asks = askAll ? whole.length : Math.min(ASKED_A_LOOK, whole.length);
    for (let asked = 0; asked < asks; asked++) if (await whole[this.#turn++ % whole.length]!.look()) this.#changes += 1;
  }

  /** Differs when something may have changed since the last look; asks little. */
  get hint(): string {
    return this.#hintAt(lstatSync(this.folder, { throwIfNoEntry: false })?.mtimeMs);
  }

  /** The hint as it was when the folder was listed: a file that came since makes the two differ. */
  get listedHint(): string {
    return this.#hintAt(this.#listed?.mtimeMs);
  }

  #hintAt(mtimeMs: number | undefined): string {
    const pending = [...this.#files.values()].filter(file => !file.isReady);
    const stamps = pending.map(file => {
      file.hasChanged();
      return `${file.path} ${file.stamp}`;
    });
    return [mtimeMs, ...stamps, ...this.#told].join('\n');
  }

  #list(): void {
    const stats = lstatSync(this.folder, { throwIfNoEntry: false });
    if (!stats?.isDirectory()) {
      if (this.#files.size > 0) this.#changes += 1;
      this.#files.clear();
      this.#listed = undefined;
      return;
    }
    const { mtimeMs } = stats;
    const last = this.#listed?.mtimeMs === mtimeMs ? this.#listed : undefined;
    const isKnown = last !== undefined && last.at - last.since > RECENT_MS;
    const names = isKnown ? [...this.#unknown, ...this.#told] : this.#names();
    if (!names) return;
    for (const name of names) this.#meet(name);
    this.#told.clear();
    if (isKnown) return;
    const now = performance.now();
    this.#listed = { mtimeMs, since: last?.since ?? now, at: now };
  }

  /** Those in the folder; what is gone is forgotten. */
  #names(): readonly string[] | undefined {
    let names: string[];
    try {
      names = readdirSync(this.folder).filter(name => this.#parts.isPart(join(this.folder, name)));
    } catch {
      // A share that is away for a moment is no news.
      return undefined;
    }
    const there = new Set(names);
    for (const name of this.#files.keys()) if (!there.has(name) && this.#files.delete(name)) this.#changes += 1;
    this.#unknown.clear();
    return names;
  }

  #meet(name: string): void {
    if (this.#files.has(name)) return;
    const path = join(this.folder, name);
    const known = this.#parts.known(path);
    const slide = known === undefined ? this.#slideOf(path) : known;
    if (slide === undefined) this.#unknown.add(name);
    else this.#unknown.delete(name);
    if (slide !== this.path) return;
    this.#files.set(name, new InstanceFile(path));
    this.#changes += 1;
  }

  #slideOf(path: string): string | null | undefined {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isFile()) return null;
    return this.#parts.slideOf(seenFile(path, stats));
  }
}
