import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { type NormMoments, readMoments, writeNormStatistics } from '../model/norm/statistics.js';
import type { Weighed } from './blend.js';

/** Statistics that were taken from a slide, or of a scanner's slides up to it. */
export interface Fit {
  /** The file; see readNormStatistics. Equal statistics are equal bytes. */
  readonly path: string;
  readonly facts: FitFacts;
}

export interface FitFacts {
  /** Model, patches and options that it was taken with: another of any of them is another fit. */
  readonly key: string;
  /** Of the slide as it was then. */
  readonly fingerprint: string;
  /** Identity of its growth, of a slide that may have grown. */
  readonly growth?: string;
  /** Patches of the slide that it was taken from. */
  readonly own: number;
  /** Standard error of those, see MomentSums; null where there were too few to take any. */
  readonly error: number | null;
  /** Slides it was taken from: more than one only for that of a scanner. */
  readonly slides: number;
  /** Too few patches: there are no statistics, and `path` leads nowhere. */
  readonly none?: true;
}

/** A scanner's statistics as its last slide left them. */
export interface ScannerState extends Weighed {
  readonly slides: number;
  /** Fingerprints of the slides that are in it, the last ones. */
  readonly latest: readonly string[];
}

/** Slides that a scanner's state remembers, so that none counts twice. */
const REMEMBERED = 64;

/** Kept where results go: what each slide was fitted by, so that a restart goes on with just that, and the state of each scanner. */
export class FitStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What a slide was fitted by last; undefined where nothing is kept, or nothing whole. */
  async find(slide: string): Promise<Fit | undefined> {
    const path = this.#slide(slide);
    const facts = (await readFacts(path)) as FitFacts | undefined;
    return facts && { path, facts };
  }

  /**
   * Once resolved it outlives the process.
   *
   * @param weights path of the weights that the statistics belong to.
   * @throws OUTPUT_FAILED
   */
  async keep(slide: string, weights: string, { norms, patches }: Weighed, facts: FitFacts): Promise<Fit> {
    const path = this.#slide(slide);
    await writeBoth(path, norms, { patches: Math.round(patches), weights }, facts);
    return { path, facts };
  }

  /** Remembers that a slide has too few patches. See keep. */
  async keepNone(slide: string, facts: FitFacts): Promise<Fit> {
    const path = this.#slide(slide);
    await inFolder(path, temporary => writeFacts(path, temporary, facts));
    return { path, facts };
  }

  /** Undefined for a scanner without slides under this key so far. */
  async scanner(name: string, key: string): Promise<ScannerState | undefined> {
    const path = this.#scanner(name);
    const facts = (await readFacts(path)) as (Omit<ScannerState, 'norms'> & { readonly key: string }) | undefined;
    if (facts?.key !== key) return undefined;
    const kept = await readMoments(path).catch(() => undefined);
    return kept && { norms: kept.norms, patches: facts.patches, slides: facts.slides, latest: facts.latest };
  }

  /** See keep. */
  async keepScanner(name: string, key: string, weights: string, { norms, ...state }: ScannerState): Promise<void> {
    const { patches, latest } = state;
    const facts = { key, ...state, latest: latest.slice(-REMEMBERED) };
    await writeBoth(this.#scanner(name), norms, { patches: Math.round(patches), weights }, facts);
  }

  /** Where the compiled model of a slide is kept while it is segmented: a hundred megabytes that nobody needs afterwards. */
  compiled(slide: string): string {
    return join(this.#folder, 'compiled', slide);
  }

  async forgetCompiled(slide: string): Promise<void> {
    await rm(this.compiled(slide), { recursive: true, force: true });
  }

  #slide(slide: string): string {
    return join(this.#folder, 'slides', `${slide}.safetensors`);
  }

  #scanner(name: string): string {
    return join(this.#folder, 'scanners', `${encodeURIComponent(name)}.safetensors`);
  }
}

const factsAt = (path: string): string => `${path}.json`;

async function readFacts(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(factsAt(path), 'utf8'));
  } catch {
    // None, or torn by a power cut: then it is taken anew.
    return undefined;
  }
}

/** The facts come last and go first: what they stand beside is what they are about. */
function writeBoth(
  path: string,
  norms: readonly NormMoments[],
  about: { readonly patches: number; readonly weights: string },
  facts: object,
): Promise<void> {
  return inFolder(path, async temporary => {
    await rm(factsAt(path), { force: true });
    await writeNormStatistics(temporary, norms, about);
    await rename(temporary, path);
    await writeFacts(path, temporary, facts);
  });
}

async function writeFacts(path: string, temporary: string, facts: object): Promise<void> {
  await writeFile(temporary, JSON.stringify(facts));
  await rename(temporary, factsAt(path));
}

async function inFolder(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new StromaflowError('OUTPUT_FAILED', `${path} cannot be written`, { cause });
  }
}
