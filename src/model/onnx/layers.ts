import type {
  Activation,
  AttentionNode,
  BatchNormNode,
  ConvNode,
  ConvTransposeNode,
  GraphNode,
  GroupNormNode,
  LayerNormNode,
  Padding,
  PositionAttentionNode,
  Value,
} from '../graph/graph.js';
import { sidesOf } from '../graph/graph.js';
import { foldedConv, foldedNorm, type WeightSource } from '../weights.js';
import type { Attribute } from './model.js';
import { adaptiveAverage, resize, upsample } from './resize.js';
import type { OnnxWriter } from './writer.js';

export type NameOf = (value: Value) => string;

/** Writes one layer of the network, making `value`. */
export function emitLayer(out: OnnxWriter, source: WeightSource, node: GraphNode, value: Value, nameOf: NameOf): void {
  const output = nameOf(value);
  switch (node.op) {
    case 'input':
      return;
    case 'conv':
      conv(out, source, node, value, nameOf);
      return;
    case 'batchNorm':
      batchNorm(out, source, node, nameOf(node.input), output);
      return;
    case 'groupNorm':
      groupNorm(out, source, node, nameOf(node.input), output);
      return;
    case 'layerNorm':
      layerNorm(out, source, node, nameOf(node.input), output);
      return;
    case 'attention':
      attention(out, node, nameOf, output);
      return;
    case 'convTranspose':
      convTranspose(out, source, node, value, nameOf);
      return;
    case 'positionAttention':
      positionAttention(out, node, nameOf, output);
      return;
    case 'upsample':
      upsample(out, node, nameOf(node.input), output);
      return;
    case 'resize':
      resize(out, node, nameOf, output);
      return;
    case 'adaptiveAverage':
      adaptiveAverage(out, node, nameOf(node.input), output);
      return;
    case 'maxPool': {
      const { size, stride, padding } = node;
      out.node('MaxPool', [nameOf(node.input)], windowOf(size, stride, padding), output);
      return;
    }
    case 'averagePool': {
      const { size, stride, padding, countsPadding } = node;
      const window = { ...windowOf(size, stride, padding), count_include_pad: countsPadding ? 1 : 0 };
      out.node('AveragePool', [nameOf(node.input)], window, output);
      return;
    }
    case 'globalAverage':
      out.node('GlobalAveragePool', [nameOf(node.input)], {}, output);
      return;
    case 'add':
    case 'multiply':
      out.node(node.op === 'add' ? 'Add' : 'Mul', node.inputs.map(nameOf), {}, output);
      return;
    case 'concat':
      out.node('Concat', node.inputs.map(nameOf), { axis: 1 }, output);
      return;
    default:
      activate(out, node.op, nameOf(node.input), output);
      return;
  }
}

function activate(out: OnnxWriter, activation: Activation, input: string, output: string): void {
  const number = (value: number) => out.weights(`number_${value}`, [], () => Float32Array.of(value));
  switch (activation) {
    case 'relu':
      relu(out, input, output);
      return;
    case 'relu6':
      relu6(out, input, number, output);
      return;
    case 'sigmoid':
      out.node('Sigmoid', [input], {}, output);
      return;
    case 'silu':
      out.node('Mul', [input, out.node('Sigmoid', [input])], {}, output);
      return;
    case 'hardSigmoid':
    case 'hardSwish': {
      const clipped = relu6(out, out.node('Add', [input, number(3)]), number);
      const sixth = number(1 / 6);
      if (activation === 'hardSigmoid') out.node('Mul', [clipped, sixth], {}, output);
      else out.node('Mul', [input, out.node('Mul', [clipped, sixth])], {}, output);
      return;
    }
    case 'gelu': {
      // x/2 · (1 + erf(x / √2)), in the order that runtimes know as one operator.
      const erf = out.node('Erf', [out.node('Div', [input, number(Math.SQRT2)])]);
      const above = out.node('Mul', [input, out.node('Add', [erf, number(1)])]);
      out.node('Mul', [above, number(0.5)], {}, output);
      return;
    }
  }
}

/** Where the smaller of NaN and 6 would be 6, as 6 − relu(6 − relu(x)). */
function relu6(out: OnnxWriter, input: string, number: (value: number) => string, output?: string): string {
  if (!out.keepNaN) return out.node('Clip', [input, number(0), number(6)], {}, output);
  const left = out.node('Sub', [number(6), leaky(out, input)]);
  return out.node('Sub', [number(6), leaky(out, left)], {}, output);
}

const leaky = (out: OnnxWriter, input: string, output?: string): string =>
  out.node('LeakyRelu', [input], { alpha: { float: 0 } }, output);

/**
 * The larger of NaN and 0 is 0 on GPUs (IEEE 754's maxNum), which would make a zero of what an overflow left behind; a choice
 * by x < 0 hands NaN on. As LeakyRelu of slope 0 it is one operator, which runtimes do in the same step as the convolution.
 */
function relu(out: OnnxWriter, input: string, output: string): void {
  if (out.keepNaN) leaky(out, input, output);
  else out.node('Relu', [input], {}, output);
}

export function windowOf(size: number, stride: number, padding: Padding): Record<string, Attribute> {
  return { kernel_shape: [size, size], strides: [stride, stride], pads: sidesOf(padding) };
}

/** The attributes of a convolution that are seldom needed. */
export function spreadOf({ dilation, groups }: Pick<ConvNode, 'dilation' | 'groups'>): Record<string, Attribute> {
  return { ...(dilation && { dilations: [dilation, dilation] }), ...(groups && { group: groups }) };
}

function conv(out: OnnxWriter, source: WeightSource, node: ConvNode, value: Value, nameOf: NameOf): void {
  const { kernel, stride, padding, name, input } = node;
  // Kernel and bias come from one folding; the kernel is written first and let go.
  let bias = new Float32Array();
  const loadKernel = async () => {
    const folded = await foldedConv(node, source);
    if (folded.bias) bias = folded.bias;
    return folded.kernel;
  };

  const inputs = [nameOf(input)];
  const shape = [value.channels, input.channels / (node.groups ?? 1), kernel, kernel];
  inputs.push(out.weights(`${name}.weight`, shape, loadKernel));
  if (node.bias || node.batchNorm) inputs.push(out.weights(`${name}.bias`, [value.channels], async () => bias));
  out.node('Conv', inputs, { ...windowOf(kernel, stride, padding), ...spreadOf(node) }, nameOf(value));
}

function convTranspose(
  out: OnnxWriter,
  source: WeightSource,
  node: ConvTransposeNode,
  value: Value,
  nameOf: NameOf,
): void {
  const { kernel, stride, padding, name, input } = node;
  let bias = new Float32Array();
  const loadKernel = async () => {
    const folded = await foldedConv(node, source);
    bias = folded.bias!;
    return folded.kernel;
  };
  const inputs = [
    nameOf(input),
    out.weights(`${name}.weight`, [input.channels, value.channels, kernel, kernel], loadKernel),
    out.weights(`${name}.bias`, [value.channels], async () => bias),
  ];
  out.node('ConvTranspose', inputs, windowOf(kernel, stride, padding), nameOf(value));
}

/** As the one operator that scales and shifts, on statistics of 0 and 1. */
function batchNorm(out: OnnxWriter, source: WeightSource, node: BatchNormNode, input: string, output: string): void {
  const { channels } = node.input;
  let shift = new Float32Array();
  const loadScale = async () => {
    const folded = await foldedNorm(node, source);
    shift = folded.shift;
    return folded.scale;
  };
  const inputs = [
    input,
    out.weights(`${node.name}.scale`, [channels], loadScale),
    out.weights(`${node.name}.shift`, [channels], () => shift),
    out.weights(`zeros_${channels}`, [channels], () => new Float32Array(channels)),
    out.weights(`ones_${channels}`, [channels], () => new Float32Array(channels).fill(1)),
  ];
  out.node('BatchNormalization', inputs, { epsilon: { float: 0 } }, output);
}

function layerNorm(out: OnnxWriter, source: WeightSource, node: LayerNormNode, input: string, output: string): void {
  const { name, epsilon } = node;
  const { channels } = node.input;
  const parts = ['weight', 'bias'].map(part =>
    out.weights(`${name}.${part}`, [channels], () => source.read(`${name}.${part}`)),
  );
  const last = out.node('Transpose', [input], { perm: [0, 2, 3, 1] });
  const normal = out.node('LayerNormalization', [last, ...parts], { axis: 3, epsilon: { float: epsilon } });
  out.node('Transpose', [normal], { perm: [0, 3, 1, 2] }, output);
}

/** On stacks of matrices, one a patch and head: [N, heads, pixels, C / heads]. */
function attention(out: OnnxWriter, { inputs, heads }: AttentionNode, nameOf: NameOf, output: string): void {
  const [queries, both] = inputs;
  const { channels } = queries;
  const each = channels / heads;
  const rows = (value: string) =>
    out.node('Reshape', [value, out.integers(`heads_${heads}_${each}`, [0, heads, each, -1])]);
  const part = (from: number) =>
    rows(
      out.node('Slice', [
        nameOf(both),
        ...[from, from + channels].map(at => out.integers(`at_${at}`, [at])),
        out.integers('at_1', [1]),
      ]),
    );
  const factor = out.weights(`number_${each ** -0.5}`, [], () => Float32Array.of(each ** -0.5));
  const scaled = out.node('Mul', [out.node('Transpose', [rows(nameOf(queries))], { perm: [0, 1, 3, 2] }), factor]);
  const weights = out.node('Softmax', [out.node('MatMul', [scaled, part(0)])], { axis: 3 });
  const found = out.node('MatMul', [weights, out.node('Transpose', [part(channels)], { perm: [0, 1, 3, 2] })]);
  const planes = out.node('Transpose', [found], { perm: [0, 1, 3, 2] });
  out.node('Reshape', [planes, out.node('Shape', [nameOf(queries)])], {}, output);
}

/** See PositionAttentionNode; matrices are [N, pixels, channels] here. */
function positionAttention(out: OnnxWriter, { inputs }: PositionAttentionNode, nameOf: NameOf, output: string): void {
  const [top, centre, bottom] = inputs;
  const columns = (value: Value) =>
    out.node('Reshape', [nameOf(value), out.integers(`columns_${value.channels}`, [0, value.channels, -1])]);
  const rows = (value: Value) => out.node('Transpose', [columns(value)], { perm: [0, 2, 1] });
  const scores = out.node('MatMul', [rows(centre), columns(top)]);
  const flat = out.node('Reshape', [scores, out.integers('flat_patch', [0, -1])]);
  const softmax = out.node('Softmax', [flat], { axis: 1 });
  const weights = out.node('Reshape', [softmax, out.node('Shape', [scores])]);
  const found = out.node('MatMul', [weights, rows(bottom)]);
  out.node('Reshape', [found, out.node('Shape', [nameOf(bottom)])], {}, output);
}

/**
 * (x − mean) / √(var + ε) over each group's channels and pixels, then a scale and a shift a channel. Written as instance
 * normalisation over the groups laid out as one row each.
 */
function groupNorm(out: OnnxWriter, source: WeightSource, node: GroupNormNode, input: string, output: string): void {
  const { groups, epsilon, name } = node;
  const { channels } = node.input;
  const rows = out.node('Reshape', [input, out.integers(`rows_${groups}`, [0, groups, -1])]);
  const ones = out.weights(`ones_${groups}`, [groups], () => new Float32Array(groups).fill(1));
  const zeros = out.weights(`zeros_${groups}`, [groups], () => new Float32Array(groups));
  const normal = out.node('InstanceNormalization', [rows, ones, zeros], { epsilon: { float: epsilon } });
  const shape = out.node('Shape', [input]);
  const planes = out.node('Reshape', [normal, shape]);
  const perChannel = (part: string) =>
    out.weights(`${name}.${part}`, [1, channels, 1, 1], () => source.read(`${name}.${part}`));
  const scaled = out.node('Mul', [planes, perChannel('weight')]);
  out.node('Add', [scaled, perChannel('bias')], {}, output);
}
