import {
  type BatchNorm,
  type ConvNode,
  type ConvTransposeNode,
  type Graph,
  type GraphNode,
  inputsOf,
} from '../graph/graph.js';
import { ProgramBuilder } from '../program/builder.js';
import type { Program, Term } from '../program/words.js';
import type { Context, Taped } from './context.js';
import { dropped } from './dropout.js';
import { tape } from './layer.js';
import { type Loss, lossOf } from './loss.js';

/** Names of a program's inputs and outputs beside the parameters, which go by their own names. */
export const STEP = {
  /** Normalised pixels [N, 3, H, W]. */
  images: 'images',
  /** [N, 1, H, W]: 1 stroma, 0 elsewhere and where ignored. */
  truth: 'truth',
  /** [N, 1, H, W]: 0 ignored, 1 elsewhere. */
  valid: 'valid',
  /** [N, channels, 1, 1]: what the head's input is multiplied by, with dropout; see dropped. */
  dropout: 'dropout',
  loss: 'loss',
  /** [N, 3, 1, 1]: pixels of p ≥ 0.5 that are stroma, of p ≥ 0.5, that are stroma. */
  counts: 'counts',
  logits: 'logits',
  /** [1, channels of the norms in their order, 1, 1]: mean and unbiased variance of the batch. */
  means: 'means',
  variances: 'variances',
  gradient: (parameter: string) => `gradient of ${parameter}`,
} as const;

export interface StepOptions {
  /** Patches, and their side in pixels. */
  readonly batch: number;
  readonly side: number;
  readonly loss: Loss;
  /** Whether this parameter is trained. */
  readonly trains: (name: string) => boolean;
  /** Whether this batch norm normalises by the batch's statistics. */
  readonly usesBatch: (norm: string) => boolean;
  /** Channels of the head's input are left out, as an input says. */
  readonly dropout?: boolean;
}

/** The convolution that makes the logits, in smp's names. */
const HEAD = 'segmentation_head.0';

/** Channels that dropout may leave out. */
export function headChannels(graph: Graph): number {
  return graph.parameters.get(`${HEAD}.weight`)?.[1] ?? 0;
}

/** Batch norms that may take their statistics from the batch, in the order of their layers. */
export function batchNorms(graph: Graph): (Pick<BatchNorm, 'name' | 'momentum'> & { readonly channels: number })[] {
  return graph.nodes.flatMap((node, id) => {
    const norm = isConv(node) ? node.batchNorm : node.op === 'batchNorm' ? node : undefined;
    if (!norm || norm.groups !== undefined) return [];
    const { name, momentum } = norm;
    return [{ name, channels: graph.values[id]!.channels, ...(momentum !== undefined && { momentum }) }];
  });
}

/** Parameters a training run changes by gradients: not the running statistics. */
export function trainable(graph: Graph): string[] {
  return [...graph.parameters.keys()].filter(name => !/\.running_(mean|var)$/.test(name));
}

/** Forward, loss, and the gradients of all parameters that are trained. */
export function trainingProgram(graph: Graph, options: StepOptions): Program {
  const writer = new StepWriter(graph, options);
  const { gradient } = writer.forward();
  writer.backward(gradient);
  return writer.p.finish();
}

/** Forward and loss in inference mode, with the logits; all norms normalise by stored statistics where they have any. */
export function evaluationProgram(graph: Graph, options: Pick<StepOptions, 'batch' | 'side' | 'loss'>): Program {
  const writer = new StepWriter(graph, { ...options, trains: () => false, usesBatch: () => false });
  const { logits } = writer.forward();
  writer.p.output(STEP.logits, logits);
  return writer.p.finish();
}

class StepWriter implements Context {
  readonly p = new ProgramBuilder();
  readonly #graph: Graph;
  readonly #options: StepOptions;
  readonly #parameters = new Map<string, Term>();
  readonly #gradients = new Map<string, Term>();
  readonly #statistics: { readonly mean: Term; readonly variance: Term }[] = [];
  readonly #taped: (Taped | undefined)[] = [];
  #mask: Term | undefined;

  constructor(graph: Graph, options: StepOptions) {
    this.#graph = graph;
    this.#options = options;
  }

  parameter(name: string): Term {
    const known = this.#parameters.get(name);
    if (known) return known;
    const { parameters } = this.#graph;
    // Statistics of frozen group norms stand beside the parameters, one a channel (see spreadStatistics).
    const shape = parameters.get(name) ?? parameters.get(name.replace(/running_(mean|var)$/, 'weight'))!;
    const made =
      shape.length === 1
        ? this.p.input(name, [1, shape[0]!, 1, 1])
        : this.p.input(name, shape.length === 2 ? [...shape, 1, 1] : shape, 'kernel');
    this.#parameters.set(name, made);
    return made;
  }

  isTrained(name: string): boolean {
    return this.#options.trains(name);
  }

  usesBatch(norm: string): boolean {
    return this.#options.usesBatch(norm);
  }

  keepStatistics(_norm: string, mean: Term, variance: Term): void {
    this.#statistics.push({ mean, variance });
  }

  addGradient(name: string, gradient: Term): void {
    const before = this.#gradients.get(name);
    this.#gradients.set(name, before ? this.p.add(before, gradient) : gradient);
  }

  forward(): { readonly logits: Term; readonly gradient: Term } {
    const { p } = this;
    const { batch, side, loss } = this.#options;
    const image = p.input(STEP.images, [batch, 3, side, side]);
    const outputs: Term[] = [];
    for (const node of this.#graph.nodes) {
      const read = inputsOf(node).map(({ id }) => outputs[id]!);
      const taped = node.op === 'input' ? undefined : this.#tape(node, read);
      this.#taped.push(taped);
      outputs.push(taped?.output ?? image);
    }
    const logits = outputs[this.#graph.output.id]!;
    const truth = p.input(STEP.truth, logits.shape);
    const valid = p.input(STEP.valid, logits.shape);
    const terms = lossOf(p, loss, { logits, truth, valid });
    p.output(STEP.loss, terms.loss);
    const above = p.unary('step', logits);
    const counted = [p.mul(above, truth), p.mul(above, valid), truth].map(term => p.sum(term, [2, 3]));
    p.output(STEP.counts, p.concat(counted));
    if (this.#statistics.length > 0) {
      p.output(STEP.means, p.concat(this.#statistics.map(({ mean }) => mean)));
      p.output(STEP.variances, p.concat(this.#statistics.map(({ variance }) => variance)));
    }
    return { logits, gradient: terms.gradient };
  }

  backward(gradient: Term): void {
    const { nodes, output } = this.#graph;
    const wanted = this.#wanted();
    const gradients = new Map<number, Term>([[output.id, gradient]]);
    for (let id = nodes.length - 1; id >= 0; id--) {
      const found = gradients.get(id);
      const taped = this.#taped[id];
      if (!found || !taped || !wanted[id]) continue;
      gradients.delete(id);
      const inputs = inputsOf(nodes[id]!);
      const made = taped.backward(
        found,
        inputs.map(input => wanted[input.id]!),
      );
      inputs.forEach((input, i) => {
        if (!made[i]) return;
        const before = gradients.get(input.id);
        gradients.set(input.id, before ? this.p.add(before, made[i]) : made[i]);
      });
    }
    for (const [name, term] of this.#gradients) this.p.output(STEP.gradient(name), term);
  }

  #tape(node: Exclude<GraphNode, { op: 'input' }>, inputs: readonly Term[]): Taped {
    if (!this.#options.dropout || node.op !== 'conv' || node.name !== HEAD) return tape(this, node, inputs);
    // A head that was split over a sum reads one mask.
    this.#mask ??= this.p.input(STEP.dropout, [inputs[0]!.shape[0]!, inputs[0]!.shape[1]!, 1, 1]);
    return dropped(this, this.#mask, inputs[0]!, input => tape(this, node, [input]));
  }

  /** Whether a node's output depends on a parameter that is trained. */
  #wanted(): boolean[] {
    const wanted: boolean[] = [];
    this.#graph.nodes.forEach(node => {
      const own = parametersOf(node).some(name => this.isTrained(name));
      wanted.push(own || inputsOf(node).some(({ id }) => wanted[id]!));
    });
    return wanted;
  }
}

const isConv = (node: GraphNode): node is ConvNode | ConvTransposeNode =>
  node.op === 'conv' || node.op === 'convTranspose';

function parametersOf(node: GraphNode): string[] {
  if (node.op === 'groupNorm' || node.op === 'layerNorm' || node.op === 'batchNorm')
    return [`${node.name}.weight`, `${node.name}.bias`];
  if (!isConv(node)) return [];
  const { name, bias, batchNorm } = node;
  return [
    `${name}.weight`,
    ...(bias ? [`${name}.bias`] : []),
    ...(batchNorm ? [`${batchNorm.name}.weight`, `${batchNorm.name}.bias`] : []),
  ];
}
