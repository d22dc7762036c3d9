import { StromaflowError } from '../../errors.js';
import { type ChosenLevel, chooseLevels } from '../../slide/dicom/choose-levels.js';
import { followedName, identityOf, levelName } from '../../slide/dicom/describe-instances.js';
import type { DicomLevel } from '../../slide/dicom/description.js';
import { GROWING_DICOM_KIND, type GrowingDicomDescription } from '../../slide/dicom/growing-dicom-source.js';
import type { InstanceHeader } from '../../slide/dicom/instance.js';
import { emptyGrid, isByPosition, unknownGrid } from '../../slide/dicom/level.js';
import type { PartTable } from '../../slide/dicom/part-table.js';
import { isMarkedDone } from '../../slide/marked-done.js';
import type { SlideNote } from '../../slide/note.js';
import type { OpenedSlide, SlideInfo, TileSourceDescription } from '../../slide/slide.js';
import { ALWAYS_THERE, type Presence } from '../../watch/presence.js';
import { arrivals } from '../arrivals.js';
import type { GrowingOptions } from '../growing-options.js';
import type { Growth, LiveSlide, LiveState, TileArrivals } from '../live-slide.js';
import { lookAgain } from '../look-again.js';
import { GrowingLevel, isAllThere, isStack, lackingParts, partTableFor } from './growing-level.js';
import type { SeriesFiles } from './series-files.js';

/**
 * A DICOM slide whose instances still come: parts of a concatenation, in any order, and levels, each an instance or a
 * concatenation of its own.
 *
 * Completeness contract. The unit is a file. Its frames may be read once the file is whole: all frames are located, the pixel
 * data is there to its end, and no frame reads as zeros; frames that do not begin and end as their coding wants are taken
 * as they are after the settling time. Expected: the grid of the followed level, until its parts are all there and say
 * which tiles they hold. The slide is complete when the parts of the followed level came, by InConcatenationTotalNumber;
 * where that is not stated, when the grid is full or no file changed for the settling time; or when `.done` stands in the folder.
 * Another instance in the place of one that was read, or a level that is finer than all, is another slide ('replaced'); a file that was
 * read and is deleted ends it ('gone').
 */
export class GrowingDicom implements LiveSlide {
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly closed: Promise<boolean>;
  readonly #options: GrowingOptions;
  readonly #files: SeriesFiles;
  readonly #levels: DicomLevel[];
  readonly #chosen: readonly ChosenLevel<InstanceHeader>[];
  readonly #names: readonly string[];
  readonly #parts: PartTable;
  readonly #stop = new AbortController();
  #close: (again: boolean) => void = () => undefined;
  readonly #notes: SlideNote[];
  #state: LiveState = 'growing';
  #at = 0;
  #level: GrowingLevel | undefined;
  #hint = '';
  /** The files' changes at the last look. */
  #changes = -1;
  /** A part is whole that could not be taken. */
  #isPending = false;
  readonly #presence: Presence;
  #changedAt: number;

  /**
   * @param info of the levels that are known, without a fingerprint.
   * @param chosen those levels.
   */
  constructor(
    files: SeriesFiles,
    info: Omit<SlideInfo, 'fingerprint'>,
    chosen: readonly ChosenLevel<InstanceHeader>[],
    options: GrowingOptions,
  ) {
    this.#files = files;
    this.#options = options;
    this.#presence = options.presence ?? ALWAYS_THERE;
    this.#changedAt = this.#presence.now();
    this.#chosen = chosen;
    this.#names = chosen.map(({ instances }) => levelName(instances));
    this.#parts = partTableFor(files.folder, chosen);
    this.#levels = chosen.map((level, index) => ({
      ...unknownGrid(level.instances[0]!, level),
      ...info.levels[index]!,
    }));
    this.#hint = files.listedHint;
    const identity = identityOf(chosen);
    // A second scan of the same name is another run, and must have another name in events.
    const fingerprint = `${identity}-${Date.now().toString(36)}`;
    this.#notes = [...(info.notes ?? [])];
    this.opened = { info: { ...info, notes: this.#notes, fingerprint }, source: this.sourceFor(chosen.length) };
    this.growth = { identity, content: level => this.#followed(level).content };
    this.closed = new Promise(resolve => {
      this.#close = resolve;
    });
  }

  get state(): LiveState {
    return this.#state;
  }

  get tiles(): LiveSlide['tiles'] {
    const { cols, rows } = this.#levels[this.#at]!;
    const { seen = 0, overwritten = 0, instances = [] } = this.#level ?? {};
    // Parts that are all there say by themselves which tiles there are.
    const isKnown = instances.length > 0 && isAllThere(instances) === true;
    const expected = isKnown ? seen : cols * rows;
    const missing = this.#state === 'complete' ? expected - seen : 0;
    return { expected, seen, missing, overwritten };
  }

  get sparse(): boolean {
    return isByPosition(this.#chosen[this.#at]!.instances[0]!) || isMarkedDone(this.#files.folder);
  }

  get lacks(): string | undefined {
    const parts = lackingParts(this.#level?.instances ?? []);
    const { error } = this.#files;
    return [parts, error?.message].filter(text => text !== undefined).join('; ') || undefined;
  }

  sourceFor(level: number): TileSourceDescription {
    if (level < this.#levels.length) this.#followed(level);
    const description: GrowingDicomDescription = {
      kind: GROWING_DICOM_KIND,
      path: this.#files.folder,
      parts: this.#parts.shared,
      levels: this.#levels.slice(0, level + 1),
    };
    return description;
  }

  follow(level: number, signal: AbortSignal): AsyncIterable<TileArrivals> {
    const followed = this.#followed(level);
    return arrivals([this.#files.folder], this.#options, signal, this.#stop, async () => {
      const tiles = await this.#look(followed);
      return { tiles, grows: this.#state === 'growing' };
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#files.hasStalled = this.#state === 'stalled';
    if (this.#state === 'complete') this.#remember();
    void lookAgain(this.#state, this.#options, () => this.#hasChanged()).then(this.#close);
  }

  #hasChanged(): boolean {
    if (this.#presence.isAway(this.#files.folder)) return false;
    if (this.#files.hint !== this.#hint) return true;
    // The hint leaves out whole files, which stalling slides are not asked about again and again.
    return this.#state === 'complete' && [...this.#files.files.values()].some(file => file.hasChanged());
  }

  #remember(): void {
    try {
      const name = followedName(this.#chosen, this.#at);
      this.#files.followed = { name, content: this.growth.content(this.#at) };
    } catch {
      // Its files are gone already: if they come again, it is opened again.
    }
  }

  #followed(level: number): GrowingLevel {
    if (this.#level && this.#at === level) return this.#level;
    this.#at = level;
    // Only the level that is read has a place for each tile: what other files claim costs nothing.
    const chosen = this.#chosen[level]!;
    const first = chosen.instances[0]!;
    this.#levels[level] = { ...this.#levels[level]!, ...emptyGrid(first, chosen) };
    this.#level = new GrowingLevel(first, this.#levels[level], this.#parts);
    return this.#level;
  }

  /** The tiles that became readable; sets the state. */
  async #look(level: GrowingLevel): Promise<number[]> {
    // The marker is looked for first: parts that were written before it are then seen by this very look.
    const done = isMarkedDone(this.#files.folder);
    await this.#files.look(done);
    // What cannot be found while the folder is away is not lost.
    if (this.#presence.isAway(this.#files.folder)) return [];
    const { changes } = this.#files;
    const hasChanged = changes !== this.#changes;
    if (hasChanged) this.#changedAt = this.#presence.now();
    this.#changes = changes;
    this.#hint = this.#files.listedHint;
    const mayCome = hasChanged || this.#isPending || !this.#files.isReady || level.instances.length === 0;
    const came = mayCome ? this.#meet(level, done) : [];
    if (this.#state === 'growing') this.#judge(level, done);
    if (this.#state === 'complete') this.#notes.push(...level.notes);
    return came;
  }

  /** Takes the parts that are whole; sets the state when the slide is another one. */
  #meet(level: GrowingLevel, done: boolean): number[] {
    const lost = this.#whatWasLost(level);
    if (lost) {
      this.#state = lost;
      return [];
    }
    const came = new Set<number>();
    const settled = done ? 0 : this.#options.settleSeconds;
    const members = this.#members();
    if (members.length > 0 && isStack(members[0]!) && isAllThere(members) !== true && !done) return [];
    const whole = members.flatMap(({ facts, path }) => {
      const name = path.slice(this.#files.folder.length + 1);
      const instance = this.#files.files.get(name)?.whole(settled, done);
      return instance && facts === instance.facts ? [{ name, instance }] : [];
    });
    this.#isPending = false;
    // Those that were read first: where one is of another scan now, the others need not fit it.
    for (const { name, instance } of whole) if (level.has(name)) this.#try(() => level.takeAgain(name, instance));
    if (level.wasReplaced) return [];
    const names = new Set(whole.map(({ name }) => name));
    const isChanging = [...level.names].some(name => !names.has(name));
    for (const { name, instance } of whole) {
      if (level.has(name)) continue;
      this.#try(
        () => level.take(name, instance, came),
        () => isChanging && !level.has(name),
      );
    }
    if (came.size > 0) this.#changedAt = this.#presence.now();
    return [...came];
  }

  /**
   * A file that cannot be read now is taken by a later look, or then seen to be gone.
   *
   * @param waits true where one that does not fit may do so yet.
   */
  #try(take: () => void, waits: () => boolean = () => false): void {
    try {
      take();
    } catch (error) {
      if (error instanceof StromaflowError && !waits()) throw error;
      this.#isPending = true;
    }
  }

  /** Instances of the followed level, in their order. */
  #members(): readonly InstanceHeader[] {
    const { headers } = this.#files;
    if (headers.length === 0) return [];
    const { levels } = chooseLevels(headers);
    return levels.find(({ instances }) => levelName(instances) === this.#names[this.#at])?.instances ?? [];
  }

  /** 'gone' or 'replaced' when what was read is no longer what the folder holds. */
  #whatWasLost(level: GrowingLevel): LiveState | undefined {
    const { files, headers } = this.#files;
    if (files.size === 0) return 'gone';
    for (const name of level.names) {
      const file = files.get(name);
      if (!file) return 'gone';
      if (file.header && !this.#isOfLevel(file.header)) return 'replaced';
    }
    if (headers.length === 0) return undefined;
    const names = chooseLevels(headers).levels.map(({ instances }) => levelName(instances));
    // Of several instances of one size the one that is the level's may come last.
    const isOther = names[0] !== this.#names[0] || !names.includes(this.#names[this.#at]!);
    return isOther ? 'replaced' : undefined;
  }

  #isOfLevel(header: InstanceHeader): boolean {
    return this.#files.holds(header) && levelName([header]) === this.#names[this.#at];
  }

  #judge(level: GrowingLevel, done: boolean): void {
    const quiet = (this.#presence.now() - this.#changedAt) / 1000;
    const there = level.instances.length > 0 ? isAllThere(level.instances) : false;
    const isOver = done || there === true || (there === undefined && quiet >= this.#options.settleSeconds);
    if (level.wasReplaced) this.#state = 'replaced';
    else if (isOver) this.#state = 'complete';
    else if (quiet > this.#options.stallSeconds) this.#state = 'stalled';
  }
}
