import { StromaflowError } from '../../errors.js';

/**
 * A network as data: what the architectures record through a GraphBuilder and what the back ends (ONNX,
 * TensorFlow.js) walk. Tensors are [N, channels, H / stride, W / stride] where H × W is the size of the image.
 */

/** A tensor flowing through the network. */
export interface Value {
  /** Index of the node that makes it. */
  readonly id: number;
  readonly channels: number;
  readonly stride: Stride;
}

/** Image side ÷ a tensor's side, rounded down where it does not divide; 'global' is 1 × 1, '3 × 3' that many pixels of any image. */
export type Stride = number | 'global' | `${number} × ${number}`;

/**
 * How a smaller tensor is enlarged, in PyTorch's words. 'nearest' stands for 'nearest-exact' and 'area' too: at whole
 * factors the three are equal. 'bilinear-corners' is align_corners=True, the others align_corners=False.
 */
export type Interpolation = 'nearest' | 'bilinear' | 'bilinear-corners' | 'bicubic';

/** Those that any size can be brought to any other by. */
export type Bilinear = 'bilinear' | 'bilinear-corners';

/** Pixels added around a tensor: as many on every side, or top, left, bottom, right. */
export type Padding = number | Sides;
export type Sides = readonly [top: number, left: number, bottom: number, right: number];

export function sidesOf(padding: Padding): Sides {
  return typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
}

export interface ConvNode {
  readonly op: 'conv';
  readonly input: Value;
  /** Parameters are `<name>.weight` [out, in / groups, kernel, kernel] and, with a bias, `<name>.bias` [out]. */
  readonly name: string;
  readonly kernel: number;
  readonly stride: number;
  /** With zeros. */
  readonly padding: Padding;
  /** Pixels from one place of the kernel to the next; 1 unless given. */
  readonly dilation?: number;
  /** Inputs and outputs are split into as many, each convolved by itself; 1 unless given. */
  readonly groups?: number;
  /** A 1 × 1 kernel that is stored as PyTorch's Linear stores it: `<name>.weight` is [out, in]. */
  readonly linear?: true;
  readonly bias: boolean;
  /** Normalisation by stored statistics that follows: `<name>.weight|bias`, [out], and `<name>.running_mean|running_var`. */
  readonly batchNorm?: BatchNorm;
}

/**
 * A transposed convolution: every pixel adds its kernel times its value to an image `stride` times as large. kernel − 2 padding is the
 * stride, so that the image is just that large.
 */
export interface ConvTransposeNode {
  readonly op: 'convTranspose';
  readonly input: Value;
  /** Parameters are `<name>.weight` [in, out, kernel, kernel] and `<name>.bias` [out]. */
  readonly name: string;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly bias: true;
  readonly batchNorm?: BatchNorm;
}

export interface BatchNorm {
  readonly name: string;
  readonly epsilon: number;
  /** How much of the stored statistics a batch replaces in training; PyTorch's 0.1 unless given. */
  readonly momentum?: number;
  /** Statistics are [groups], each of out / groups channels; of every channel, [out], unless given. */
  readonly groups?: number;
}

/** Normalisation by stored statistics where no convolution precedes; parameters as BatchNorm says. */
export interface BatchNormNode extends BatchNorm {
  readonly op: 'batchNorm';
  readonly input: Value;
}

export interface GroupNormNode {
  readonly op: 'groupNorm';
  readonly input: Value;
  /** Parameters are `<name>.weight` and `<name>.bias`, each [channels]. */
  readonly name: string;
  readonly groups: number;
  readonly epsilon: number;
}

/** Normalisation of each pixel over its channels. */
export interface LayerNormNode {
  readonly op: 'layerNorm';
  readonly input: Value;
  /** Parameters are `<name>.weight` and `<name>.bias`, each [channels]. */
  readonly name: string;
  readonly epsilon: number;
}

/** What is added around the tensor is never the largest. */
export interface MaxPoolNode {
  readonly op: 'maxPool';
  readonly input: Value;
  readonly size: number;
  readonly stride: number;
  readonly padding: Padding;
}

export interface AveragePoolNode {
  readonly op: 'averagePool';
  readonly input: Value;
  readonly size: number;
  readonly stride: number;
  readonly padding: Padding;
  /** What is added around the tensor counts, as zeros. */
  readonly countsPadding: boolean;
}

export interface UpsampleNode {
  readonly op: 'upsample';
  readonly input: Value;
  readonly factor: number;
  readonly mode: Interpolation;
}

/** The first tensor in the size of the second, of which nothing else is read. */
export interface ResizeNode {
  readonly op: 'resize';
  readonly inputs: readonly [x: Value, like: Value];
  readonly mode: Bilinear;
}

/**
 * Averages of side × side parts, whatever the size is: part i is from ⌊i H / side⌋ to before ⌈(i + 1) H / side⌉, so that parts may
 * share pixels. PyTorch's AdaptiveAvgPool2d.
 */
export interface AdaptiveAverageNode {
  readonly op: 'adaptiveAverage';
  readonly input: Value;
  readonly side: number;
}

/**
 * MA-Net's position-wise attention, as smp computes it. For each patch S = cᵀ t, [pixels, pixels], of centre c and top t; P is the
 * softmax over all its numbers at once; the product P bᵀ with bottom b, [pixels, C], is then read as [C, height, width] from memory,
 * row by row, which is no transposition.
 */
export interface PositionAttentionNode {
  readonly op: 'positionAttention';
  readonly inputs: readonly [top: Value, centre: Value, bottom: Value];
}

/**
 * Functions of one number: relu6(x) = min(max(x, 0), 6), silu(x) = x σ(x) (swish), hardSigmoid(x) = relu6(x + 3) / 6, hardSwish(x) =
 * x hardSigmoid(x), gelu(x) = x Φ(x) by the error function.
 */
export const ACTIVATIONS = ['relu', 'relu6', 'sigmoid', 'silu', 'hardSigmoid', 'hardSwish', 'gelu'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

export interface UnaryNode {
  readonly op: Activation | 'globalAverage';
  readonly input: Value;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) of the pixels of the first tensor, the queries [C], to those of
 * the second, [2 C]: keys, then values. Head h has the channels from h C / heads on:
 *
 *     softmax(queries · keysᵀ / √(C / heads)) · values
 */
export interface AttentionNode {
  readonly op: 'attention';
  readonly inputs: readonly [Value, Value];
  readonly heads: number;
}

/** Of equal shapes; in 'multiply' the second may have one channel or be 1 × 1, and is repeated. */
export interface BinaryNode {
  readonly op: 'add' | 'multiply';
  readonly inputs: readonly [Value, Value];
}

export interface ConcatNode {
  readonly op: 'concat';
  readonly inputs: readonly Value[];
}

export type GraphNode =
  | { readonly op: 'input' }
  | ConvNode
  | ConvTransposeNode
  | BatchNormNode
  | GroupNormNode
  | LayerNormNode
  | MaxPoolNode
  | AveragePoolNode
  | UpsampleNode
  | ResizeNode
  | AdaptiveAverageNode
  | UnaryNode
  | BinaryNode
  | AttentionNode
  | PositionAttentionNode
  | ConcatNode;

export interface Graph {
  /** In an order that can be run; node i makes the value with id i, node 0 is the image. */
  readonly nodes: readonly GraphNode[];
  readonly values: readonly Value[];
  /** Name and shape of every parameter, in the order met. */
  readonly parameters: ReadonlyMap<string, readonly number[]>;
  /** Values worth looking at, by the name of the PyTorch module whose output they equal. */
  readonly layers: ReadonlyMap<string, Value>;
  /** Logits [N, classes, H, W]. */
  readonly output: Value;
}

/** The tensor with this name: 'logits', or one of the graph's layers. Throws MODEL_UNSUPPORTED when there is none. */
export function layerOf(graph: Graph, name: string): Value {
  const value = name === 'logits' ? graph.output : graph.layers.get(name);
  if (value) return value;
  const known = ['logits', ...graph.layers.keys()].join(', ');
  throw new StromaflowError('MODEL_UNSUPPORTED', `the network has no layer ${name}`, { fix: `known layers: ${known}` });
}

/** Values a node reads. */
export function inputsOf(node: GraphNode): readonly Value[] {
  if (node.op === 'input') return [];
  return 'inputs' in node ? node.inputs : [node.input];
}
