import type {
  Activation,
  BatchNorm,
  Bilinear,
  Graph,
  GraphNode,
  Interpolation,
  Padding,
  Stride,
  Value,
} from './graph.js';

export interface ConvOptions {
  readonly out: number;
  readonly kernel: number;
  /** 1 unless given. */
  readonly stride?: number;
  /** Zeros added around; (kernel ÷ 2) × dilation on each side (the size is kept) unless given. */
  readonly padding?: Padding;
  /** 1 unless given. */
  readonly dilation?: number;
  /** 1 unless given; as many as channels is a depthwise convolution. */
  readonly groups?: number;
  /** The weight is stored as PyTorch's Linear stores it, [out, in]; with a 1 × 1 kernel. */
  readonly linear?: true;
  /** true unless a batch normalisation follows, which makes it redundant. */
  readonly bias?: boolean;
  readonly batchNorm?: string | BatchNorm;
}

/** kernel − 2 padding is the stride. */
export interface ConvTransposeOptions {
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly batchNorm?: BatchNorm;
}

export interface GroupNormOptions {
  readonly name: string;
  /** Channels / groups channels are normalised together. */
  readonly groups: number;
  readonly epsilon?: number;
}

export interface PoolOptions {
  readonly size: number;
  readonly stride: number;
  /** None unless given. */
  readonly padding?: Padding;
}

/**
 * Port the architectures are written against: each call is one layer, returns the tensor it makes, and names its
 * parameters as segmentation_models_pytorch does.
 */
export interface GraphBuilder {
  /** The normalised image, [N, 3, H, W]. */
  readonly image: Value;
  conv(input: Value, name: string, options: ConvOptions): Value;
  convTranspose(input: Value, name: string, options: ConvTransposeOptions): Value;
  /** For a norm behind anything else than a convolution, which has one of its own. */
  batchNorm(input: Value, norm: string | BatchNorm): Value;
  groupNorm(input: Value, options: GroupNormOptions): Value;
  /** Over the channels of each pixel. */
  layerNorm(input: Value, name: string, epsilon?: number): Value;
  activate(input: Value, activation: Activation): Value;
  relu(input: Value): Value;
  sigmoid(input: Value): Value;
  add(a: Value, b: Value): Value;
  multiply(a: Value, b: Value): Value;
  /** Queries [C] attend to keys and values [2 C]; see AttentionNode. */
  attention(queries: Value, keysAndValues: Value, heads: number): Value;
  /** See PositionAttentionNode. */
  positionAttention(top: Value, centre: Value, bottom: Value): Value;
  /** Inputs without channels are left out. */
  concat(inputs: readonly Value[]): Value;
  maxPool(input: Value, options: PoolOptions): Value;
  /** `countsPadding`: PyTorch's count_include_pad, true unless given. */
  averagePool(input: Value, options: PoolOptions & { countsPadding?: boolean }): Value;
  globalAverage(input: Value): Value;
  /** Averages of side × side parts; see AdaptiveAverageNode. */
  adaptiveAverage(input: Value, side: number): Value;
  upsample(input: Value, factor: number, mode: Interpolation): Value;
  /** Brings a tensor to the size of another one. */
  resize(input: Value, like: Value, mode: Bilinear): Value;
  /**
   * The builder with convolutions that stand still and look further apart instead (Chen et al. 2017, arXiv:1706.05587), every one, as smp's
   * `make_dilated` does it: stride 1, this dilation, padding (kernel ÷ 2) × dilation.
   */
  dilated(rate: number): GraphBuilder;
  /** A tensor without channels, where smp has one: nothing reads it but concat, which leaves it out. */
  empty(stride: number): Value;
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
  readonly nodes: GraphNode[];
  readonly values: Value[];
  readonly parameters: Map<string, readonly number[]>;
  readonly layers: Map<string, Value>;
  readonly image: Value;
  readonly #rate: number;

  /** `whole`: the recorder that this one writes to as well. */
  constructor(rate = 1, whole?: Recorder) {
    this.#rate = rate;
    this.nodes = whole?.nodes ?? [];
    this.values = whole?.values ?? [];
    this.parameters = whole?.parameters ?? new Map();
    this.layers = whole?.layers ?? new Map();
    this.image = whole?.image ?? this.#push({ op: 'input' }, 3, 1);
  }

  dilated(rate: number): GraphBuilder {
    return rate === 1 ? this : new Recorder(rate, this);
  }

  conv(input: Value, name: string, given: ConvOptions): Value {
    const rate = this.#rate;
    const still = { stride: 1, dilation: rate, padding: (given.kernel >> 1) * rate };
    const options = rate === 1 ? given : { ...given, ...still };
    const { out, kernel, stride = 1, dilation = 1, groups = 1, linear, batchNorm } = options;
    const { padding = (kernel >> 1) * dilation, bias = batchNorm === undefined } = options;
    if (input.channels === 0) throw new RangeError(`${name} has nothing to convolve`);
    if (input.channels % groups !== 0 || out % groups !== 0)
      throw new RangeError(`${name}: ${input.channels} to ${out} channels in ${groups} groups`);
    if (linear && (kernel !== 1 || groups !== 1)) throw new RangeError(`${name} is no linear layer`);
    const within = input.channels / groups;
    this.#parameter(`${name}.weight`, linear ? [out, within] : [out, within, kernel, kernel]);
    if (bias) this.#parameter(`${name}.bias`, [out]);
    const norm = batchNorm === undefined ? undefined : this.#norm(batchNorm, out);
    const rare = {
      ...(dilation !== 1 && { dilation }),
      ...(groups !== 1 && { groups }),
      ...(linear && { linear }),
      ...(norm && { batchNorm: norm }),
    };
    return this.#push(
      { op: 'conv', input, name, kernel, stride, padding, bias, ...rare },
      out,
      scaled(input.stride, stride),
    );
  }

  convTranspose(input: Value, name: string, options: ConvTransposeOptions): Value {
    const { out, kernel, stride, padding, batchNorm } = options;
    if (kernel - 2 * padding !== stride) throw new RangeError(`${name} does not enlarge by ${stride}`);
    this.#parameter(`${name}.weight`, [input.channels, out, kernel, kernel]);
    this.#parameter(`${name}.bias`, [out]);
    const norm = batchNorm && this.#norm(batchNorm, out);
    const node = { op: 'convTranspose', input, name, kernel, stride, padding, bias: true } as const;
    return this.#push({ ...node, ...(norm && { batchNorm: norm }) }, out, scaled(input.stride, 1 / stride));
  }

  batchNorm(input: Value, norm: string | BatchNorm): Value {
    const node = { op: 'batchNorm', input, ...this.#norm(norm, input.channels) } as const;
    return this.#push(node, input.channels, input.stride);
  }

  #norm(given: string | BatchNorm, channels: number): BatchNorm {
    const norm = typeof given === 'string' ? { name: given, epsilon: EPSILON } : given;
    for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
      this.#parameter(`${norm.name}.${part}`, [channels]);
    return norm;
  }

  groupNorm(input: Value, options: GroupNormOptions): Value {
    const { name, groups, epsilon = EPSILON } = options;
    if (input.channels % groups !== 0) throw new RangeError(`${input.channels} channels in ${groups} groups`);
    for (const part of ['weight', 'bias']) this.#parameter(`${name}.${part}`, [input.channels]);
    return this.#push({ op: 'groupNorm', input, name, groups, epsilon }, input.channels, input.stride);
  }

  layerNorm(input: Value, name: string, epsilon = EPSILON): Value {
    for (const part of ['weight', 'bias']) this.#parameter(`${name}.${part}`, [input.channels]);
    return this.#push({ op: 'layerNorm', input, name, epsilon }, input.channels, input.stride);
  }

  activate(input: Value, activation: Activation): Value {
    return this.#push({ op: activation, input }, input.channels, input.stride);
  }

  relu(input: Value): Value {
    return this.activate(input, 'relu');
  }

  sigmoid(input: Value): Value {
    return this.activate(input, 'sigmoid');
  }

  globalAverage(input: Value): Value {
    return this.#push({ op: 'globalAverage', input }, input.channels, 'global');
  }

  adaptiveAverage(input: Value, side: number): Value {
    if (side === 1) return this.globalAverage(input);
    return this.#push({ op: 'adaptiveAverage', input, side }, input.channels, `${side} × ${side}`);
  }

  resize(input: Value, like: Value, mode: Bilinear): Value {
    if (input.stride === like.stride) return input;
    return this.#push({ op: 'resize', inputs: [input, like], mode }, input.channels, like.stride);
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

  attention(queries: Value, keysAndValues: Value, heads: number): Value {
    const { channels, stride } = queries;
    if (keysAndValues.channels !== 2 * channels || channels % heads !== 0)
      throw new RangeError(`${channels} channels in ${heads} heads attend to ${keysAndValues.channels}`);
    return this.#push({ op: 'attention', inputs: [queries, keysAndValues], heads }, channels, stride);
  }

  positionAttention(top: Value, centre: Value, bottom: Value): Value {
    if (top.channels !== centre.channels) throw new RangeError(`${top.channels} channels meet ${centre.channels}`);
    return this.#push({ op: 'positionAttention', inputs: [top, centre, bottom] }, bottom.channels, bottom.stride);
  }

  concat(given: readonly Value[]): Value {
    const [first] = given;
    if (!first || given.some(input => input.stride !== first.stride)) throw new RangeError('concat needs equal sizes');
    const inputs = given.filter(input => input.channels > 0);
    if (inputs.length === 1) return inputs[0]!;
    const channels = inputs.reduce((sum, input) => sum + input.channels, 0);
    return this.#push({ op: 'concat', inputs }, channels, first.stride);
  }

  maxPool(input: Value, options: PoolOptions): Value {
    const node = { op: 'maxPool', input, padding: 0, ...options } as const;
    return this.#push(node, input.channels, scaled(input.stride, options.stride));
  }

  averagePool(input: Value, options: PoolOptions & { countsPadding?: boolean }): Value {
    const node = { op: 'averagePool', input, padding: 0, countsPadding: true, ...options } as const;
    return this.#push(node, input.channels, scaled(input.stride, options.stride));
  }

  upsample(input: Value, factor: number, mode: Interpolation): Value {
    if (factor === 1) return input;
    return this.#push({ op: 'upsample', input, factor, mode }, input.channels, scaled(input.stride, 1 / factor));
  }

  empty(stride: number): Value {
    return { id: this.image.id, channels: 0, stride };
  }

  layer(value: Value, module: string): Value {
    this.layers.set(module, value);
    return value;
  }

  #push(node: GraphNode, channels: number, stride: Stride): Value {
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

function scaled(stride: Stride, factor: number): Stride {
  return typeof stride === 'number' ? stride * factor : stride;
}
