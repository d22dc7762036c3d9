import type { AdaptiveAverageNode, Interpolation, ResizeNode, UpsampleNode, Value } from '../graph/graph.js';
import type { Attribute } from './model.js';
import type { OnnxWriter } from './writer.js';

/** Layers that give a tensor another height and width, which are known only when the model runs. */

const RESIZE: Readonly<Record<Interpolation, Record<string, Attribute>>> = {
  nearest: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  bilinear: { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  'bilinear-corners': { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  // −0.75 is the Keys coefficient PyTorch uses.
  bicubic: { mode: 'cubic', coordinate_transformation_mode: 'half_pixel', cubic_coeff_a: { float: -0.75 } },
};

export function upsample(
  out: OnnxWriter,
  { factor, mode }: Pick<UpsampleNode, 'factor' | 'mode'>,
  input: string,
  output: string,
): void {
  const scales = out.floats(`scales_${factor}`, [1, 1, factor, factor]);
  out.node('Resize', [input, '', scales], RESIZE[mode], output);
}

export function resize(
  out: OnnxWriter,
  { inputs: [x, like], mode }: ResizeNode,
  nameOf: (value: Value) => string,
  output: string,
): void {
  const [patches, channels] = [part(out, nameOf(x), 0), part(out, nameOf(x), 1)];
  const [height, width] = [part(out, nameOf(like), 2), part(out, nameOf(like), 3)];
  const sizes = out.node('Concat', [patches, channels, height, width], { axis: 0 });
  out.node('Resize', [nameOf(x), '', '', sizes], RESIZE[mode], output);
}

/** As products with a matrix of weights, one an axis. */
export function adaptiveAverage(out: OnnxWriter, { side }: AdaptiveAverageNode, input: string, output: string): void {
  const tall = averages(out, part(out, input, 2), side);
  const wide = out.node('Transpose', [averages(out, part(out, input, 3), side)], { perm: [1, 0] });
  out.node('MatMul', [out.node('MatMul', [tall, input]), wide], {}, output);
}

/**
 * Averages of `parts` parts of an axis of `size` pixels, [parts, size]. Pixel j is in part i when i · size < (j + 1) · parts and
 * j · parts < (i + 1) · size, in whole numbers; see AdaptiveAverageNode.
 */
function averages(out: OnnxWriter, size: string, parts: number): string {
  const column = (name: string, first: number) =>
    out.constant(`${name}_${parts}`, 'int64', [parts, 1], () =>
      BigInt64Array.from({ length: parts }, (_, i) => BigInt(first + i)),
    );
  const pixels = out.node('Range', [number(out, 0), out.node('Squeeze', [size]), number(out, 1)]);
  const times = out.integers(`at_${parts}`, [parts]);
  const [from, to] = [
    out.node('Mul', [pixels, times]),
    out.node('Mul', [out.node('Add', [pixels, number(out, 1)]), times]),
  ];
  const [start, end] = [column('part', 0), column('next_part', 1)].map(part => out.node('Mul', [part, size]));
  const within = out.node('And', [out.node('Less', [start!, to]), out.node('Less', [from, end!])]);
  const counted = out.cast(within, out.half ? 'float16' : 'float');
  return out.node('Div', [counted, out.node('ReduceSum', [counted, out.integers('axes_1', [1])], { keepdims: 1 })]);
}

const number = (out: OnnxWriter, value: number): string =>
  out.constant(`whole_${value}`, 'int64', [], () => BigInt64Array.of(BigInt(value)));

/** The size of one axis, int64 [1]. */
function part(out: OnnxWriter, input: string, axis: number): string {
  return out.node('Shape', [input], { start: axis, end: axis + 1 });
}
