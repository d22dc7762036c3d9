import type { BatchNorm, Graph, GraphNode, Interpolation, Value } from './graph.js';

export interface ConvOptions {
  readonly out: number;
  readonly kernel: number;
  /** 1 unless given. */
  readonly stride?: number;
  /** Zeros added on each side; kernel ÷ 2 (the size is kept) unless given. */
  readonly padding?: number;
  /** true unless a batch normalisation follows, which makes it redundant. */
  readonly bias?: boolean;
  readonly batchNorm?: string | BatchNorm;
}

export interface GroupNormOptions {
  readonly name: string;
  /** Channels / groups channels are normalised together. */
  readonly groups: number;
  readonly epsilon?: number;
}

/**
 * Port the architectures are written against: each call is one layer, returns the tensor it makes, and names its
 * parameters as segmentation_models_pytorch does.
 */
export interface GraphBuilder {
  /** The normalised image, [N, 3, H, W]. */
  readonly image: Value;
  conv(input: Value, name: string, options: ConvOptions): Value;
  groupNorm(input: Value, options: GroupNormOptions): Value;
  relu(input: Value): Value;
  sigmoid(input: Value): Value;
  add(a: Value, b: Value): Value;
  multiply(a: Value, b: Value): Value;
  concat(inputs: readonly Value[]): Value;
  maxPool(input: Value, options: { size: number; stride: number; padding?: number }): Value;
  globalAverage(input: Value): Value;
  upsample(input: Value, factor: number, mode: Interpolation): Value;
  /** Marks a tensor as the output of this PyTorch module, so that it can be looked at by name. Returns it. */
  layer(value: Value, module: string): Value;
}

/** PyTorch's default for BatchNorm2d, GroupNorm and InstanceNorm2d. */
export const EPSILON = 1e-5;

/** Records a network: `define` receives the builder and returns the logits. */
export function buildGraph(define: (builder: GraphBuilder) => Value): Graph {
  const recorder = new Recorder();
  const output = define(recorder);
  return {
    nodes: recorder.nodes,
    values: recorder.values,
    parameters: recorder.parameters,
    layers: recorder.layers,
    output,
  };
}

class Recorder implements GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly values: Value[] = [];
  readonly parameters = new Map<string, readonly number[]>();
  readonly layers = new Map<string, Value>();
  readonly image = this.#push({ op: 'input' }, 3, 1);

  conv(input: Value, name: string, options: ConvOptions): Value {
    const { out, kernel, stride = 1, padding = kernel >> 1, batchNorm } = options;
    const bias = options.bias ?? batchNorm === undefined;
    this.#parameter(`${name}.weight`, [out, input.channels, kernel, kernel]);
    if (bias) this.#parameter(`${name}.bias`, [out]);
    const norm = typeof batchNorm === 'string' ? { name: batchNorm, epsilon: EPSILON } : batchNorm;
    if (norm)
      for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
        this.#parameter(`${norm.name}.${part}`, [out]);
    return this.#push(
      { op: 'conv', input, name, kernel, stride, padding, bias, ...(norm && { batchNorm: norm }) },
      out,
      scaled(input.stride, stride),
    );
  }

  groupNorm(input: Value, options: GroupNormOptions): Value {
    const { name, groups, epsilon = EPSILON } = options;
    if (input.channels % groups !== 0) throw new RangeError(`${input.channels} channels in ${groups} groups`);
    for (const part of ['weight', 'bias']) this.#parameter(`${name}.${part}`, [input.channels]);
    return this.#push({ op: 'groupNorm', input, name, groups, epsilon }, input.channels, input.stride);
  }

  relu(input: Value): Value {
    return this.#push({ op: 'relu', input }, input.channels, input.stride);
  }

  sigmoid(input: Value): Value {
    return this.#push({ op: 'sigmoid', input }, input.channels, input.stride);
  }

  globalAverage(input: Value): Value {
    return this.#push({ op: 'globalAverage', input }, input.channels, 'global');
  }

  add(a: Value, b: Value): Value {
    if (a.channels !== b.channels || a.stride !== b.stride) throw new RangeError('add needs equal shapes');
    return this.#push({ op: 'add', inputs: [a, b] }, a.channels, a.stride);
  }

  multiply(a: Value, b: Value): Value {
    const channelsFit = b.channels === a.channels || b.channels === 1;
    const sizeFits = b.stride === a.stride || b.stride === 'global';
    if (!channelsFit || !sizeFits) throw new RangeError('multiply cannot repeat the second tensor to the first');
    return this.#push({ op: 'multiply', inputs: [a, b] }, a.channels, a.stride);
  }

  concat(inputs: readonly Value[]): Value {
    const [first] = inputs;
    if (!first || inputs.some(input => input.stride !== first.stride)) throw new RangeError('concat needs equal sizes');
    const channels = inputs.reduce((sum, input) => sum + input.channels, 0);
    return this.#push({ op: 'concat', inputs }, channels, first.stride);
  }

  maxPool(input: Value, options: { size: number; stride: number; padding?: number }): Value {
    const node = { op: 'maxPool', input, padding: 0, ...options } as const;
    return this.#push(node, input.channels, scaled(input.stride, options.stride));
  }

  upsample(input: Value, factor: number, mode: Interpolation): Value {
    if (factor === 1) return input;
    return this.#push({ op: 'upsample', input, factor, mode }, input.channels, scaled(input.stride, 1 / factor));
  }

  layer(value: Value, module: string): Value {
    this.layers.set(module, value);
    return value;
  }

  #push(node: GraphNode, channels: number, stride: number | 'global'): Value {
    const value = { id: this.nodes.length, channels, stride };
    this.nodes.push(node);
    this.values.push(value);
    return value;
  }

  #parameter(name: string, shape: readonly number[]): void {
    if (this.parameters.has(name)) throw new RangeError(`parameter ${name} is used twice`);
    this.parameters.set(name, shape);
  }
}

function scaled(stride: number | 'global', factor: number): number | 'global' {
  return stride === 'global' ? stride : stride * factor;
}
