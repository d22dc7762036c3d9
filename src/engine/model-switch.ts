import type { Model } from '../model/model.js';
import type { Segmenter } from './segmenter.js';

/** A model, and what runs it. */
export interface LoadedModel {
  readonly model: Model;
  readonly segmenter: Segmenter;
}

/** A model in use. */
export interface ServingModel extends LoadedModel {
  /** Aborts when another model has taken over and the last slide of this one is done. */
  readonly retired: AbortSignal;
}

/** Loads the model as it is now; undefined when it still is the `present` one. */
export type LoadModel = (
  present: LoadedModel | undefined,
  signal: AbortSignal | undefined,
) => Promise<LoadedModel | undefined>;

interface Tenancy {
  readonly model: ServingModel;
  readonly retire: AbortController;
  slides: number;
}

/**
 * The model in force, and those that slides still finish with: a slide is segmented by one model from its first patch to
 * its last, so a new model takes over at the next slide (docs/decisions/0009-model-per-slide.md).
 */
export class ModelSwitch {
  readonly #load: LoadModel;
  readonly #tenancies = new Map<ServingModel, Tenancy>();
  #current: Tenancy;
  #reloading: Promise<ServingModel | undefined> | undefined;
  #closed = false;

  /** Rejects with what `load` rejects with. */
  static async open(load: LoadModel, signal?: AbortSignal): Promise<ModelSwitch> {
    return new ModelSwitch((await load(undefined, signal))!, load);
  }

  private constructor(first: LoadedModel, load: LoadModel) {
    this.#load = load;
    this.#current = this.#serve(first);
  }

  /** The model that the next slide is given. */
  get current(): ServingModel {
    return this.#current.model;
  }

  /** The current model, for one slide: it stays loaded until `release`. */
  take(): ServingModel {
    this.#current.slides += 1;
    return this.#current.model;
  }

  /** A further model, for the one slide that it was fitted to; `release` ends it. */
  adopt(loaded: LoadedModel): ServingModel {
    const tenancy = this.#serve(loaded);
    tenancy.slides = 1;
    return tenancy.model;
  }

  release(model: ServingModel): void {
    const tenancy = this.#tenancies.get(model);
    if (!tenancy) return;
    tenancy.slides -= 1;
    this.#retireIfIdle(tenancy);
  }

  /**
   * Loads the model anew and makes it the current one; undefined when it has not changed. Until it is warm, and when it
   * cannot be loaded (which rejects), the present one serves. A call while one runs joins it.
   */
  reload(signal?: AbortSignal): Promise<ServingModel | undefined> {
    this.#reloading ??= this.#reload(signal).finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #reload(signal: AbortSignal | undefined): Promise<ServingModel | undefined> {
    const loaded = await this.#load(this.current, signal);
    if (!loaded) return undefined;
    if (this.#closed) {
      await loaded.segmenter.close();
      return undefined;
    }
    const old = this.#current;
    this.#current = this.#serve(loaded);
    this.#retireIfIdle(old);
    return this.current;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reloading?.catch(() => undefined);
    await Promise.all([...this.#tenancies.values()].map(tenancy => this.#retire(tenancy)));
  }

  #serve(loaded: LoadedModel): Tenancy {
    const retire = new AbortController();
    const tenancy = { model: { ...loaded, retired: retire.signal }, retire, slides: 0 };
    this.#tenancies.set(tenancy.model, tenancy);
    return tenancy;
  }

  #retireIfIdle(tenancy: Tenancy): void {
    if (tenancy !== this.#current && tenancy.slides === 0) void this.#retire(tenancy);
  }

  async #retire({ model, retire }: Tenancy): Promise<void> {
    this.#tenancies.delete(model);
    retire.abort();
    await model.segmenter.close();
  }
}
