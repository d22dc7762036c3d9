import type { ConvNode, Value } from '../graph/graph.js';
import { type Affine, type Int8Conv, quantiseConv } from '../int8/affine.js';
import type { BytePlace } from '../int8/places.js';
import { foldedConv, type WeightSource } from '../weights.js';
import { spreadOf, windowOf } from './layers.js';
import { PORTS } from './surround.js';
import type { OnnxWriter } from './writer.js';

/**
 * A quantised network in ONNX's QDQ form: it computes in float32 on numbers that were rounded to bytes and back, which
 * has a meaning of its own; onnxruntime finds what lies between such pairs and does it on the bytes.
 */

/** Rounds a tensor to bytes and back; returns the name of what comes out. */
export function throughBytes(out: OnnxWriter, input: string, { scale, zero }: Affine): string {
  const parts = [
    out.constant(`${input}.scale`, 'float', [], () => Float32Array.of(scale)),
    out.constant(`${input}.zero`, 'uint8', [], () => Uint8Array.of(zero)),
  ];
  const bytes = out.node('QuantizeLinear', [input, ...parts]);
  return out.node('DequantizeLinear', [bytes, ...parts]);
}

/** A convolution of a tensor that went through bytes, by weights stored in whole numbers. */
export function int8Conv(
  out: OnnxWriter,
  source: WeightSource,
  node: ConvNode,
  value: Value,
  [input, inputScale, output]: readonly [input: string, inputScale: number, output: string],
): void {
  const { kernel, stride, padding } = node;
  const { channels } = value;
  // All four constants come from one rounding; the first that is written makes it, the last lets it go.
  let whole: Int8Conv | undefined;
  const part = async <T>(pick: (conv: Int8Conv) => T): Promise<T> => {
    whole ??= quantiseConv(await foldedConv(node, source), channels, inputScale);
    return pick(whole);
  };
  const shape = [channels, node.input.channels, kernel, kernel];
  const zeros = (count: number) => out.constant(`int8_zeros_${count}`, 'int8', [count], () => new Int8Array(count));
  const wholeZeros = (count: number) =>
    out.constant(`int32_zeros_${count}`, 'int32', [count], () => new Int32Array(count));
  const weights = [
    out.constant(`${output}.weight`, 'int8', shape, () => part(conv => conv.kernel)),
    out.constant(`${output}.weight.scale`, 'float', [channels], () => part(conv => conv.scales)),
    zeros(channels),
  ];
  const bias = [
    out.constant(`${output}.bias`, 'int32', [channels], () => part(conv => conv.bias)),
    out.constant(`${output}.bias.scale`, 'float', [channels], async () => {
      const scales = await part(conv => conv.scales.map(scale => scale * inputScale));
      whole = undefined;
      return scales;
    }),
    wholeZeros(channels),
  ];
  const inputs = [weights, bias].map(parts => out.node('DequantizeLinear', parts, { axis: 0 }));
  out.node('Conv', [input, ...inputs], { ...windowOf(kernel, stride, padding), ...spreadOf(node) }, output);
}

/** One more output, float32 [1, places, 2, 1]: lowest and highest value of each tensor that would become bytes. */
export function emitRanges(out: OnnxWriter, places: readonly BytePlace[], nameOf: (value: Value) => string): void {
  const ends = ['ReduceMin', 'ReduceMax'].map(op => {
    const found = places.map(({ value }) => out.node(op, [nameOf(value)], { keepdims: 1 }));
    return out.node('Concat', found, { axis: 1 });
  });
  out.node('Concat', ends, { axis: 2 }, PORTS.ranges);
}
