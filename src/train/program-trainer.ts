import { StromaflowError } from '../errors.js';
import { evaluationProgram, headChannels, STEP, trainingProgram } from '../model/gradient/step.js';
import type { Graph } from '../model/graph/graph.js';
import type { InputNormalisation } from '../model/manifest.js';
import { inputsOfBatch, patchesOf } from './batch.js';
import { dropoutMask } from './dropout.js';
import type { Parameters } from './parameters.js';
import type { PseudoLabelled, StepResult, TrainBatch, Trainer, TrainRecipe, TrainState } from './port.js';
import type { LoadedProgram, ProgramEngine } from './program-engine.js';

/** Programs of one shape each that are kept loaded: a training step's memory stays with its program. */
const KEPT = 2;

/** A trainer on any device that runs programs. */
export class ProgramTrainer implements Trainer {
  readonly #graph: Graph;
  readonly #input: InputNormalisation;
  readonly #recipe: TrainRecipe;
  readonly #parameters: Parameters;
  readonly #engine: ProgramEngine;
  readonly #signal: AbortSignal | undefined;
  /** By what they do and their shape; the one used last at the end. */
  readonly #loaded = new Map<string, LoadedProgram>();

  constructor(
    { graph, input }: { readonly graph: Graph; readonly input: InputNormalisation },
    recipe: TrainRecipe,
    parameters: Parameters,
    engine: ProgramEngine,
    signal?: AbortSignal,
  ) {
    this.#graph = graph;
    this.#input = input;
    this.#recipe = recipe;
    this.#parameters = parameters;
    this.#engine = engine;
    this.#signal = signal;
  }

  async step(batches: readonly TrainBatch[], rate: number, pseudo?: PseudoLabelled): Promise<StepResult> {
    const parameters = this.#parameters;
    const all = [...batches, ...(pseudo?.batches ?? [])];
    const sums = all.length > 1 ? new Map<string, Float32Array>() : undefined;
    // Of the gradients: 1 for those of labelled batches, so that a step without others is what it always was; their mean is taken at the end.
    const share = pseudo ? (pseudo.weight * batches.length) / pseudo.batches.length : 1;
    const results: StepResult[] = [];
    let outputs: ReadonlyMap<string, Float32Array> = new Map();
    const statistics: (readonly [Float32Array, Float32Array])[] = [];
    for (const [place, batch] of all.entries()) {
      this.#signal?.throwIfAborted();
      outputs = await this.#run('train', batch, place);
      const isLabelled = place < batches.length;
      if (isLabelled) results.push(resultOf(outputs));
      const means = outputs.get(STEP.means);
      if (means) statistics.push([means.slice(), outputs.get(STEP.variances)!.slice()]);
      if (sums)
        for (const name of parameters.trained) {
          const gradient = outputs.get(STEP.gradient(name))!;
          if (!isLabelled) scale(gradient, share);
          addTo(sums, name, gradient);
        }
    }
    for (const [means, variances] of statistics) parameters.addStatistics(means, variances);
    if (sums) for (const values of sums.values()) scale(values, 1 / batches.length);
    parameters.update(name => sums?.get(name) ?? outputs.get(STEP.gradient(name))!, rate);
    return averaged(results);
  }

  async evaluate(batch: TrainBatch): Promise<StepResult & { readonly probabilities: Float32Array }> {
    this.#signal?.throwIfAborted();
    const outputs = await this.#run('evaluate', batch, 0);
    return { ...resultOf(outputs), probabilities: probabilitiesOf(outputs) };
  }

  async teach(batch: TrainBatch): Promise<Float32Array> {
    this.#signal?.throwIfAborted();
    const { teacher } = this.#parameters;
    if (!teacher) throw new StromaflowError('INTERNAL', 'a recipe without a teacher was asked for pseudo-labels');
    return probabilitiesOf(await this.#run('evaluate', batch, 0, teacher.values));
  }

  async save(): Promise<TrainState> {
    return this.#parameters.save();
  }

  async restore(state: TrainState): Promise<void> {
    this.#parameters.restore(state);
  }

  async close(): Promise<void> {
    for (const program of this.#loaded.values()) await program.close();
    this.#loaded.clear();
    await this.#engine.close();
  }

  async #run(
    what: 'train' | 'evaluate',
    batch: TrainBatch,
    place: number,
    values: ReadonlyMap<string, Float32Array> = this.#parameters.values,
  ): Promise<ReadonlyMap<string, Float32Array>> {
    const patches = patchesOf(batch);
    const program = await this.#program(what, patches, batch.size);
    const inputs = new Map([...values, ...inputsOfBatch(batch, this.#input)]);
    const { dropout = 0, seed } = this.#recipe;
    if (dropout > 0) {
      const count = patches * headChannels(this.#graph);
      inputs.set(STEP.dropout, dropoutMask(count, dropout, { seed, step: this.#parameters.step, batch: place }));
    }
    return program.run(inputs);
  }

  async #program(what: 'train' | 'evaluate', batch: number, side: number): Promise<LoadedProgram> {
    const key = `${what} ${batch} ${side}`;
    const known = this.#loaded.get(key);
    if (known) {
      this.#loaded.delete(key);
      this.#loaded.set(key, known);
      return known;
    }
    for (const [old, program] of [...this.#loaded].slice(0, Math.max(0, this.#loaded.size - KEPT + 1))) {
      this.#loaded.delete(old);
      await program.close();
    }
    const { loss, dropout = 0 } = this.#recipe;
    const trained = new Set(this.#parameters.trained);
    const program =
      what === 'evaluate'
        ? evaluationProgram(this.#graph, { batch, side, loss })
        : trainingProgram(this.#graph, {
            batch,
            side,
            loss,
            trains: name => trained.has(name),
            usesBatch: norm => this.#parameters.usesBatch(norm),
            dropout: dropout > 0,
          });
    const loaded = await this.#engine.load(program);
    this.#loaded.set(key, loaded);
    return loaded;
  }
}

function resultOf(outputs: ReadonlyMap<string, Float32Array>): StepResult {
  const counts = outputs.get(STEP.counts)!;
  const count = (place: number) => counts.reduce((sum, value, i) => (i % 3 === place ? sum + value : sum), 0);
  return { loss: outputs.get(STEP.loss)![0]!, intersection: count(0), predicted: count(1), labelled: count(2) };
}

const probabilitiesOf = (outputs: ReadonlyMap<string, Float32Array>): Float32Array =>
  Float32Array.from(outputs.get(STEP.logits)!, logit => 1 / (1 + Math.exp(-logit)));

function averaged(results: readonly StepResult[]): StepResult {
  const sum = (pick: (result: StepResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  return {
    loss: sum(({ loss }) => loss) / results.length,
    intersection: sum(({ intersection }) => intersection),
    predicted: sum(({ predicted }) => predicted),
    labelled: sum(({ labelled }) => labelled),
  };
}

function addTo(sums: Map<string, Float32Array>, name: string, values: Float32Array): void {
  const before = sums.get(name);
  if (!before) sums.set(name, values.slice());
  else for (let i = 0; i < values.length; i++) before[i]! += values[i]!;
}

function scale(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
}
