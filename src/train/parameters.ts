import { StromaflowError } from '../errors.js';
import { batchNorms, trainable } from '../model/gradient/step.js';
import type { Graph } from '../model/graph/graph.js';
import type { WeightSource } from '../model/weights.js';
import { adam, type Moments } from './adam.js';
import type { TrainRecipe, TrainState } from './port.js';
import { Teacher } from './teacher.js';

/** PyTorch's default where a norm has none of its own: how much of the running statistics a batch replaces. */
const MOMENTUM = 0.1;

/** The numbers a training run changes: parameters, running statistics, moments of the optimiser. */
export class Parameters {
  /** By name; what programs read. Statistics of frozen group norms are here one a channel. */
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** Names of the parameters that are trained. */
  readonly trained: readonly string[];
  /** Where the recipe asks for one. */
  readonly teacher: Teacher | undefined;
  readonly #graph: Graph;
  readonly #moments: ReadonlyMap<string, Moments>;
  readonly #recipe: TrainRecipe;
  #step = 0;

  private constructor(graph: Graph, recipe: TrainRecipe, values: ReadonlyMap<string, Float32Array<ArrayBuffer>>) {
    this.#graph = graph;
    this.#recipe = recipe;
    this.values = values;
    this.trained = trainable(graph).filter(name => !isFrozen(name, recipe));
    this.#moments = new Map(
      this.trained.map(name => {
        const count = values.get(name)!.length;
        return [name, { first: new Float32Array(count), second: new Float32Array(count) }];
      }),
    );
    const { teacherDecay } = recipe;
    this.teacher = teacherDecay === undefined ? undefined : new Teacher(values, teacherDecay);
  }

  static async read(graph: Graph, recipe: TrainRecipe, source: WeightSource): Promise<Parameters> {
    const values = new Map<string, Float32Array<ArrayBuffer>>();
    for (const name of graph.parameters.keys()) values.set(name, (await source.read(name)).slice());
    for (const [id, node] of graph.nodes.entries()) {
      if (node.op !== 'conv' || node.batchNorm?.groups === undefined) continue;
      for (const part of ['running_mean', 'running_var']) {
        const name = `${node.batchNorm.name}.${part}`;
        const stored = await source.read(name);
        const each = graph.values[id]!.channels / stored.length;
        values.set(
          name,
          Float32Array.from({ length: graph.values[id]!.channels }, (_, c) => stored[Math.floor(c / each)]!),
        );
      }
    }
    return new Parameters(graph, recipe, values);
  }

  get step(): number {
    return this.#step;
  }

  /** Whether a batch norm takes its statistics from the batch, which then change the running ones. */
  usesBatch(norm: string): boolean {
    return this.#recipe.normStatistics === 'batch' && !isFrozen(`${norm}.weight`, this.#recipe);
  }

  /** `means`, `variances`: of the norms that use the batch, one behind the other. */
  addStatistics(means: Float32Array, variances: Float32Array): void {
    let at = 0;
    for (const { name, channels, momentum = MOMENTUM } of batchNorms(this.#graph)) {
      if (!this.usesBatch(name)) continue;
      const mean = this.values.get(`${name}.running_mean`)!;
      const variance = this.values.get(`${name}.running_var`)!;
      for (let c = 0; c < channels; c++, at++) {
        mean[c] = (1 - momentum) * mean[c]! + momentum * means[at]!;
        variance[c] = (1 - momentum) * variance[c]! + momentum * variances[at]!;
      }
    }
  }

  /** One step of the optimiser; `gradientOf` a trained parameter. */
  update(gradientOf: (name: string) => Float32Array, rate: number): void {
    this.#step++;
    const { optimizer, weightDecay } = this.#recipe;
    const options = { rate, step: this.#step, weightDecay, decoupled: optimizer === 'adamw' };
    for (const name of this.trained) adam(this.values.get(name)!, gradientOf(name), this.#moments.get(name)!, options);
    this.teacher?.follow(this.values, this.#step);
  }

  save(): TrainState {
    const { parameters } = this.#graph;
    const tensors = new Map(
      [...parameters].map(([name, shape]) => [name, { name, shape, values: this.values.get(name)!.slice() }]),
    );
    for (const [parameter, { first, second }] of this.#moments) {
      const shape = parameters.get(parameter)!;
      for (const [name, values] of [
        [`adam.m.${parameter}`, first],
        [`adam.v.${parameter}`, second],
      ] as const)
        tensors.set(name, { name, shape, values: values.slice() });
    }
    for (const [parameter, shape] of this.teacher ? parameters : []) {
      const name = `teacher.${parameter}`;
      tensors.set(name, { name, shape, values: this.teacher!.values.get(parameter)!.slice() });
    }
    return { step: this.#step, tensors };
  }

  /** Throws MODEL_TENSOR for a tensor that is missing or of another size; nothing is changed then. */
  restore({ step, tensors }: TrainState): void {
    const wanted = new Map<string, Float32Array>();
    for (const name of this.#graph.parameters.keys()) wanted.set(name, this.values.get(name)!);
    for (const [name, { first, second }] of this.#moments)
      wanted.set(`adam.m.${name}`, first).set(`adam.v.${name}`, second);
    for (const name of this.teacher ? this.#graph.parameters.keys() : [])
      wanted.set(`teacher.${name}`, this.teacher!.values.get(name)!);
    const isMoment = (name: string) => name.startsWith('adam.');
    const isTeachers = (name: string) => name.startsWith('teacher.');
    const some = [...tensors.keys()].some(isMoment);
    for (const [name, values] of wanted) {
      const found = tensors.get(name);
      if (!found && (isMoment(name) || isTeachers(name)) && !some) continue;
      if (found?.values.length !== values.length)
        throw new StromaflowError(
          'MODEL_TENSOR',
          `the saved state has ${found ? `${found.values.length} numbers` : 'none'} for ${name}, which needs ${values.length}`,
          { fix: 'go on with the network and the frozen stages that the state was saved with' },
        );
    }
    const initial = (name: string, count: number) =>
      isTeachers(name) ? tensors.get(name.slice('teacher.'.length))!.values : new Float32Array(count);
    for (const [name, values] of wanted) values.set(tensors.get(name)?.values ?? initial(name, values.length));
    this.#step = step;
  }
}

function isFrozen(name: string, { frozen }: TrainRecipe): boolean {
  return frozen.some(prefix => name.startsWith(prefix));
}
