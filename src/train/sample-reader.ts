import { StromaflowError } from '../errors.js';
import { type LabelFacts, NO_FACTS } from '../evaluate/label-facts.js';
import type { LabelReading, LabelSource } from '../evaluate/label-source.js';
import { type LabelMap, NEGATIVE } from '../evaluate/labels.js';
import { type ItemLabels, openLabels, openPixels } from '../evaluate/open-item.js';
import { type PatchLabels, packLabels, readPatchLabels, withoutPixels } from '../evaluate/patch-labels.js';
import { createOverview } from '../read/overview.js';
import type { PatchPlan } from '../read/patch.js';
import { PatchReader, type ReadOutcome } from '../read/patch-reader.js';
import { PixelMemory } from '../read/pixel-memory.js';
import { validSize } from '../read/plan.js';
import { TileCache } from '../read/tile-cache.js';
import type { TissueRule } from '../read/tissue.js';
import { IMAGE_KIND } from '../slide/image/image-source.js';
import type { SlideInfo, TileSourceDescription } from '../slide/slide.js';
import { type Augmentation, UNCHANGED } from './augmentation.js';
import { orient } from './orient.js';
import { blur, changeColour } from './picture-changes.js';
import { IGNORED_LABEL, rescaleImage, rescaleLabels } from './rescale.js';
import { changeStain } from './stain.js';
import type { Window } from './window.js';

/** An image or slide and its truth, as a thread opens them: plain data. */
export interface SampleSource {
  /** Tells the items of a run apart. */
  readonly item: number;
  readonly info: SlideInfo;
  readonly source: TileSourceDescription;
  /** None: an unlabelled one, all of whose pixels are 0, and those outside of the slide or not stored ignored. */
  readonly labels?: ItemLabels;
  /** Its core is the patch that is learned from, its margin the context that a change of scale draws in. */
  readonly plan: PatchPlan;
}

/** What all samples of a run share. */
export interface SampleSetting {
  readonly map: LabelMap;
  readonly reading: LabelReading;
  /** What `look` calls a patch empty by; null where patches are learned from, since the pixels of empty ones are not given. */
  readonly rule: TissueRule | null;
  /** Bytes of decoded tiles, and of whole images, that a reader keeps. */
  readonly cacheBytes: number;
}

/** What is known of a patch before it is learned from. */
export interface PatchFacts {
  readonly outcome: ReadOutcome['outcome'];
  /** Pixels of the core that are labelled and stored; those of them that are stroma. */
  readonly labelledPixels: number;
  readonly positivePixels: number;
  /** A label value that no class declares; −1 when there is none. */
  readonly unknownValue: number;
  /** What the item's truth holds. */
  readonly facts: LabelFacts;
}

interface OpenItem {
  readonly reader: PatchReader;
  readonly labels: LabelSource | undefined;
  readonly bytes: number;
}

/** Files open at a time. */
const MOST_OPEN = 24;

/** Reads patches with their labels, in any order, from any number of images and slides: those used last stay open. */
export class SampleReader {
  readonly #setting: SampleSetting;
  readonly #memory = new PixelMemory();
  readonly #cache: TileCache;
  /** Least recently used first. */
  readonly #open = new Map<number, OpenItem>();
  #nextSlide = 1;

  constructor(setting: SampleSetting) {
    this.#setting = setting;
    this.#cache = new TileCache(this.#memory, setting.cacheBytes);
  }

  /** @throws TILE_CORRUPT, SLIDE_UNREADABLE, LABELS_INVALID */
  async look(sample: SampleSource, col: number, row: number): Promise<PatchFacts> {
    const { plan } = sample;
    const item = await this.#item(sample);
    const { outcome, labels } = await this.#read(item, sample, col, row, new Uint8Array(plan.patchSize ** 2 * 3));
    const { labelledPixels, positivePixels, unknownValue } = labels;
    return { outcome, labelledPixels, positivePixels, unknownValue, facts: item.labels?.facts ?? NO_FACTS };
  }

  /**
   * Reads a patch and changes it.
   * @param image core × core × 3 bytes; zero outside of the slide
   * @param labels core × core bytes: 0 rest, 1 stroma, 255 ignored
   * @throws TILE_CORRUPT, SLIDE_UNREADABLE, LABELS_INVALID
   */
  async read(
    sample: SampleSource,
    col: number,
    row: number,
    change: Augmentation | undefined,
    image: Uint8Array,
    labels: Uint8Array,
  ): Promise<void> {
    const { plan } = sample;
    const { core, patchSize } = plan;
    const region = new Uint8Array(patchSize ** 2 * 3);
    const { labels: truth } = await this.#read(await this.#item(sample), sample, col, row, region);
    const window = windowOf(plan, col, row, region);
    const { scale, stain, blur: sigma, colour, turns, mirrored } = change ?? UNCHANGED;
    if (stain) changeStain(window, stain);
    if (colour) changeColour(window, colour);
    if (sigma !== undefined) blur(window, sigma);
    const values = bytesOf(truth);
    const [upright, lying] = [new Uint8Array(core ** 2 * 3), new Uint8Array(core ** 2)];
    rescaleImage(window, upright, core, scale);
    rescaleLabels(values, lying, core, scale);
    orient(upright, image, core, 3, turns, mirrored);
    orient(lying, labels, core, 1, turns, mirrored);
  }

  async close(): Promise<void> {
    for (const item of this.#open.keys()) await this.#forget(item);
  }

  async #read({ reader, labels }: OpenItem, { plan }: SampleSource, col: number, row: number, into: Uint8Array) {
    const { outcome, missing } = await reader.read(col, row, into);
    const truth = labels
      ? await readPatchLabels(labels, plan, { col, row }, this.#setting.map)
      : unlabelled(plan, col, row);
    return { outcome, labels: withoutPixels(truth, missing) };
  }

  async #item(sample: SampleSource): Promise<OpenItem> {
    const known = this.#open.get(sample.item);
    if (known) {
      this.#open.delete(sample.item);
      this.#open.set(sample.item, known);
      return known;
    }
    const opened = await this.#openItem(sample);
    this.#open.set(sample.item, opened);
    for (const item of this.#open.keys()) {
      const bytes = [...this.#open.values()].reduce((sum, entry) => sum + entry.bytes, 0);
      if (item === sample.item || (this.#open.size <= MOST_OPEN && bytes <= this.#setting.cacheBytes)) break;
      await this.#forget(item);
    }
    return opened;
  }

  async #openItem({ info, source, labels, plan }: SampleSource): Promise<OpenItem> {
    const { map, reading, rule } = this.#setting;
    const truth = labels && (await openLabels(labels, info, map, reading));
    try {
      const pixels = await openPixels({ info, source });
      const slide = this.#nextSlide++;
      const overview = createOverview(plan);
      const reader = new PatchReader(pixels, plan, rule, overview, this.#memory, this.#cache, slide);
      // An image is decoded as a whole and kept with its mask; a slide keeps next to nothing.
      const whole = source.kind === IMAGE_KIND ? plan.slideWidth * plan.slideHeight * 4 : 0;
      return { reader, labels: truth, bytes: whole + overview.shared.byteLength };
    } catch (error) {
      await truth?.close();
      throw error;
    }
  }

  async #forget(item: number): Promise<void> {
    const opened = this.#open.get(item);
    this.#open.delete(item);
    opened?.reader.close();
    await opened?.labels?.close();
  }
}

const ALL_NEGATIVE = { meanings: new Uint8Array(256).fill(NEGATIVE) };

function unlabelled(plan: PatchPlan, col: number, row: number): PatchLabels {
  const [width, height] = validSize(plan, col, row);
  return packLabels(new Uint8Array(plan.core ** 2), plan.core, width, height, ALL_NEGATIVE);
}

/** The part of a region that lies inside the slide. */
function windowOf(plan: PatchPlan, col: number, row: number, pixels: Uint8Array): Window {
  const { core, margin, patchSize, width, height } = plan;
  const [x, y] = [col * core - margin, row * core - margin];
  if (x >= width || y >= height) throw new StromaflowError('INTERNAL', `patch ${col},${row} lies outside of its slide`);
  return {
    pixels,
    stride: patchSize,
    left: Math.max(0, -x),
    top: Math.max(0, -y),
    right: Math.min(patchSize, width - x),
    bottom: Math.min(patchSize, height - y),
  };
}

function bytesOf({ side, positive, ignored }: PatchLabels): Uint8Array {
  const values = new Uint8Array(side * side);
  for (let i = 0; i < values.length; i++) {
    const [at, bit] = [i >> 3, 128 >> (i & 7)];
    values[i] = ignored[at]! & bit ? IGNORED_LABEL : positive[at]! & bit ? 1 : 0;
  }
  return values;
}
