import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../src/config/options.js';
import type { Isolation } from '../src/engine/backend.js';
import { freezable } from '../src/engine/freeze.js';
import { LazySegmenter } from '../src/engine/lazy-segmenter.js';
import { measureMoments } from '../src/engine/moments.js';
import { StromaflowError } from '../src/errors.js';
import { blend, type Weighed } from '../src/fit/blend.js';
import { type Fit, type FitFacts, FitStore } from '../src/fit/fit-store.js';
import { fittedNote, unfittedNote } from '../src/fit/notes.js';
import { growthOf, isRunOf, wasCompleted } from '../src/live/growth-of.js';
import { loadBundle, type ModelBundle, normModeOf } from '../src/model/bundle.js';
import { loadModel, type Model } from '../src/model/model.js';
import { LEAST_NORM_PATCHES } from '../src/model/norm/statistics.js';
import type { PatchPlan } from '../src/read/patch.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import { Turns } from '../src/stage/turns.js';
import { REPLACED } from '../src/store/run-key.js';
import { firstFullPatches, type LookedAt } from './first-full-patches.js';
import { type ModelSetup, startEngine } from './models.js';
import { planOf } from './plan-of.js';
import type { SlideTask } from './slide-task.js';
import { inForce, type ModelFits, type ModelParts, type TakenModel } from './taken-model.js';

/** Patches that a slide is fitted by unless told otherwise (docs/decisions/0025-fitted-norms.md). */
export const FIT_PATCHES = 24;

/** They wait in memory until the last one is there. */
const MOST_FIT_PATCHES = 200;

/** Slides open at once: each has an engine of its own. */
export const FITTED_AT_ONCE = 4;

/** A slide, and under what its fit is known. */
interface Asked {
  readonly slide: OpenedSlide;
  readonly task: SlideTask;
  /** The model in force, and its only bundle. */
  readonly inForce: Model;
  readonly base: ModelBundle;
  readonly plan: PatchPlan;
  readonly about: Pick<FitFacts, 'key' | 'fingerprint' | 'growth'>;
  /** Where slides of a scanner are fitted together: its name, and what its slides have in common. */
  readonly scanner: { readonly name: string; readonly key: string } | undefined;
}

/**
 * `--fit-norm`: models whose norms are frozen by what the first patches of a slide give, one for each slide. A slide waits for
 * those patches, and is then segmented by one model throughout, which its version names.
 */
export class NormFits implements ModelFits {
  readonly #store: FitStore;
  readonly #setup: Omit<ModelSetup, 'model'>;
  /** A measurement takes all cores, and a scanner's state is one. */
  readonly #turns = new Turns();

  /** Throws MODEL_UNSUPPORTED for a model that has no norms to fit. */
  constructor(model: Model, setup: Omit<ModelSetup, 'model'>) {
    fittable(model, setup.config);
    this.#setup = setup;
    this.#store = new FitStore(join(setup.config.out, '.norms'));
  }

  /**
   * The model of a slide: by the statistics that an earlier start took, or by those of its first patches. Where a slide has too few, the
   * model runs by its scanner's so far, or else as it would without a fit, and the slide's notes say so.
   */
  async take(slide: OpenedSlide, task: SlideTask, parts: ModelParts, signal: AbortSignal): Promise<TakenModel> {
    const { config } = this.#setup;
    const { model } = parts.models.current;
    const base = fittable(model, config);
    const plan = planOf(slide.info, config, model);
    const asked = askedOf({ slide, task, plan, base, inForce: model }, { config, tissueRule: parts.tissueRule });
    const kept = await this.#kept(asked, parts);
    if (kept?.facts.none) return inForce(parts, [unfittedNote(kept.facts.own, LEAST_NORM_PATCHES, normModeOf(base))]);
    if (kept) return this.#serve(asked, kept, parts, signal);

    const { id } = slide.info;
    const most = mostOf(config);
    parts.say(`${id}: waits for ${most} patches that are tissue throughout, to fit its norms by`);
    const looked = await firstFullPatches(slide, plan, task, { ...parts, arena: this.#setup.arena }, most, signal);
    try {
      const fit = await this.#turns.take('fit', () => this.#fit(asked, looked, signal));
      const taken = !fit.facts.none
        ? await this.#serve(asked, fit, parts, signal)
        : inForce(parts, [unfittedNote(fit.facts.own, LEAST_NORM_PATCHES, normModeOf(base))]);
      const release = async (): Promise<void> => {
        looked.close();
        await taken.release();
      };
      return { ...taken, release, ...(looked.ready && { ready: looked.ready }) };
    } catch (error) {
      looked.close();
      throw error;
    }
  }

  /** What this very slide was fitted by, under the same model and options. */
  async #kept({ slide, task, about }: Asked, { ledger }: ModelParts): Promise<Fit | undefined> {
    if (this.#setup.config.fresh) return undefined;
    const { id } = slide.info;
    const kept = await this.#store.find(id);
    if (kept?.facts.key !== about.key) return undefined;
    if (kept.facts.fingerprint === about.fingerprint) return kept;
    if (about.growth === undefined || kept.facts.growth !== about.growth) return undefined;
    // A file that grows is known by where it lies; another scan written into it is not the slide that was fitted.
    const run = ledger.find(id);
    if (!run || run.finished === REPLACED) return undefined;
    const isSame = run.state === 'completed' ? wasCompleted(slide, run) : isRunOf(task.live ?? { opened: slide })(run);
    return isSame ? kept : undefined;
  }

  /** None where there are too few patches, and no scanner to go by. */
  async #fit(asked: Asked, { pixels }: LookedAt, signal: AbortSignal): Promise<Fit> {
    const { base, plan, about, scanner, slide } = asked;
    const { config } = this.#setup;
    const { id } = slide.info;
    const patch = await loadBundle(base.path, signal, { norm: 'patch' });
    const { weights } = freezable(patch);
    const before = scanner && (await this.#store.scanner(scanner.name, scanner.key));
    if (pixels.length < LEAST_NORM_PATCHES) {
      if (!before) return this.#none(asked, pixels.length);
      return this.#store.keep(id, weights, before, { ...about, own: 0, error: null, slides: before.slides });
    }
    const sums = await measureMoments(patch, pixels, {
      patchSize: plan.patchSize,
      threads: config.threads || availableParallelism(),
      isolation: config.isolation as Isolation,
      signal,
    });
    const own: Weighed = { norms: sums.moments(), patches: sums.patches };
    const known = before?.latest.includes(about.fingerprint) ?? false;
    const all = !before ? own : known ? before : blend(before, own);
    const slides = (before?.slides ?? 0) + (known ? 0 : 1);
    const fit = await this.#store.keep(id, weights, all, { ...about, own: own.patches, error: sums.error(), slides });
    // Killed in between, the scanner lacks this slide; the other way round it would have it twice.
    if (scanner && !known) {
      const latest = [...(before?.latest ?? []), about.fingerprint];
      await this.#store.keepScanner(scanner.name, scanner.key, weights, { ...all, slides, latest });
    }
    return fit;
  }

  /** One that may still grow is asked again. */
  async #none({ slide, task, about }: Asked, own: number): Promise<Fit> {
    const facts = { ...about, own, error: null, slides: 0, none: true } as const;
    return task.live && task.live.state !== 'complete'
      ? { path: '', facts }
      : this.#store.keepNone(slide.info.id, facts);
  }

  async #serve(
    { base, slide, scanner, inForce: { tta } }: Asked,
    fit: Fit,
    { models }: ModelParts,
    signal: AbortSignal,
  ): Promise<TakenModel> {
    const { id } = slide.info;
    const present = await loadBundle(base.path, signal, { norm: normModeOf(base) });
    if (present.version !== base.version)
      throw new StromaflowError('MODEL_INVALID', `${base.path} was ${base.version} and is ${present.version} now`, {
        fix: 'write a new model beside the old one and turn a link, so that slides under way keep theirs',
      });
    const fittedModel = await loadModel(base.path, signal, { norm: 'frozen', fitted: fit.path, tta });
    const { info } = models.current.segmenter;
    const fitted = { path: fit.path, cacheFolder: this.#store.compiled(id) };
    // A slide that was done before needs none.
    const start = () => startEngine(fittedModel, this.#setup, { engine: info.engine, fitted });
    const segmenter = new LazySegmenter({ ...info, modelVersion: fittedModel.version }, start);
    const model = models.adopt({ model: fittedModel, segmenter });
    return {
      model,
      notes: [fittedNote(fit.facts, scanner?.name)],
      release: async () => {
        models.release(model);
        await this.#store.forgetCompiled(id).catch(() => undefined);
      },
    };
  }
}

const mostOf = ({ patches }: Pick<Config, 'patches'>): number => patches ?? FIT_PATCHES;

/** The bundle whose norms are fitted. Throws MODEL_UNSUPPORTED, saying why those of a model cannot be, or CONFIG_INVALID. */
function fittable({ members }: Model, { engine, patches }: Pick<Config, 'engine' | 'patches'>): ModelBundle {
  if (mostOf({ patches }) > MOST_FIT_PATCHES)
    throw new StromaflowError('CONFIG_INVALID', `--fit-norm takes up to ${MOST_FIT_PATCHES} patches, not ${patches}`);
  const fix = 'leave --fit-norm off, or take a model of save_pretrained that has group or instance norms';
  if (engine === 'null')
    throw new StromaflowError('MODEL_UNSUPPORTED', 'the engine null runs no model, so there are no norms to fit', {
      fix: 'leave --fit-norm off, or choose another --engine',
    });
  const [bundle] = members as [ModelBundle];
  if (members.length > 1)
    throw new StromaflowError('MODEL_UNSUPPORTED', '--fit-norm fits one model, and this is an ensemble', {
      fix: 'freeze its members with stromaflow model freeze, or leave --fit-norm off',
    });
  try {
    freezable(bundle);
    return bundle;
  } catch (error) {
    if (!(error instanceof StromaflowError)) throw error;
    throw new StromaflowError(error.code, `--fit-norm: ${error.message}`, { fix, cause: error });
  }
}

function askedOf(
  of: Pick<Asked, 'slide' | 'task' | 'plan' | 'base' | 'inForce'>,
  { config, tissueRule }: Pick<ModelParts, 'tissueRule'> & { readonly config: Config },
): Asked {
  const { slide, task, plan, base } = of;
  const { level, mpp, patchSize, margin } = plan;
  const growth = (task.live?.growth ?? growthOf(slide))?.identity;
  const way = config['fit-norm'];
  const { site, scanner } = config;
  const same = [base.contentHash, mostOf(config), patchSize, margin, tissueRule];
  const about = {
    key: JSON.stringify([...same, way, level, mpp]),
    fingerprint: slide.info.fingerprint,
    ...(growth === undefined ? {} : { growth }),
  };
  const shared = { name: `${site}--${scanner}`, key: JSON.stringify([...same, config.spacing ?? base.spacing]) };
  return { ...of, about, scanner: way === 'scanner' ? shared : undefined };
}
