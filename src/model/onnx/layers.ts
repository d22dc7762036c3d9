import type { ConvNode, GraphNode, GroupNormNode, Interpolation, UpsampleNode, Value } from '../graph/graph.js';
import { foldedConv, type WeightSource } from '../weights.js';
import type { Attribute } from './model.js';
import type { OnnxWriter } from './writer.js';

type NameOf = (value: Value) => string;

/** Writes one layer of the network, making `value`. */
export function emitLayer(out: OnnxWriter, source: WeightSource, node: GraphNode, value: Value, nameOf: NameOf): void {
  const output = nameOf(value);
  switch (node.op) {
    case 'input':
      return;
    case 'conv':
      conv(out, source, node, value, nameOf);
      return;
    case 'groupNorm':
      groupNorm(out, source, node, nameOf(node.input), output);
      return;
    case 'upsample':
      upsample(out, node, nameOf(node.input), output);
      return;
    case 'maxPool': {
      const { size, stride, padding } = node;
      out.node('MaxPool', [nameOf(node.input)], windowOf(size, stride, padding), output);
      return;
    }
    case 'relu':
      relu(out, nameOf(node.input), output);
      return;
    case 'sigmoid':
    case 'globalAverage':
      out.node(UNARY[node.op], [nameOf(node.input)], {}, output);
      return;
    case 'add':
    case 'multiply':
      out.node(node.op === 'add' ? 'Add' : 'Mul', node.inputs.map(nameOf), {}, output);
      return;
    case 'concat':
      out.node('Concat', node.inputs.map(nameOf), { axis: 1 }, output);
      return;
  }
}

const UNARY = { sigmoid: 'Sigmoid', globalAverage: 'GlobalAveragePool' } as const;

/**
 * The larger of NaN and 0 is 0 on GPUs (IEEE 754's maxNum), which would make a zero of what an overflow left behind; a choice
 * by x < 0 hands NaN on. As LeakyRelu of slope 0 it is one operator, which runtimes do in the same step as the convolution.
 */
function relu(out: OnnxWriter, input: string, output: string): void {
  if (out.keepNaN) out.node('LeakyRelu', [input], { alpha: { float: 0 } }, output);
  else out.node('Relu', [input], {}, output);
}

export function windowOf(size: number, stride: number, padding: number): Record<string, Attribute> {
  return { kernel_shape: [size, size], strides: [stride, stride], pads: [padding, padding, padding, padding] };
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
  inputs.push(out.weights(`${name}.weight`, [value.channels, input.channels, kernel, kernel], loadKernel));
  if (node.bias || node.batchNorm) inputs.push(out.weights(`${name}.bias`, [value.channels], async () => bias));
  out.node('Conv', inputs, windowOf(kernel, stride, padding), nameOf(value));
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

const RESIZE: Readonly<Record<Interpolation, Record<string, Attribute>>> = {
  nearest: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  bilinear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  'bilinear-corners': { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  // −0.75 is the Keys coefficient PyTorch uses.
  bicubic: { mode: 'cubic', coordinate_transformation_mode: 'half_pixel', cubic_coeff_a: { float: -0.75 } },
};

function upsample(out: OnnxWriter, { factor, mode }: UpsampleNode, input: string, output: string): void {
  const scales = out.floats(`scales_${factor}`, [1, 1, factor, factor]);
  out.node('Resize', [input, '', scales], RESIZE[mode], output);
}
