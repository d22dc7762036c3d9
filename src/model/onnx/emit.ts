import type { Decision } from '../decision.js';
import { type Graph, layerOf, type Value } from '../graph/graph.js';
import type { InputNormalisation } from '../manifest.js';
import type { WeightSource } from '../weights.js';
import { emitLayer } from './layers.js';
import type { OnnxModel, OnnxTensorInfo } from './model.js';
import { OnnxWriter } from './writer.js';

/** Changes whenever the same bundle would give another file; part of the cache's key. */
export const EMIT_VERSION = 2;

export interface EmitOptions {
  readonly name: string;
  readonly input: InputNormalisation;
  readonly decision: Decision;
  /** Also give these layers of the graph, float32 [N, channels, H / stride, W / stride], under their own names. */
  readonly layers?: readonly string[];
}

/**
 * The network in ONNX, with what stands before and behind it:
 * `patches` uint8 [N, H, W, 3] → bytes normalised, channels first → network → threshold →
 * `mask` uint8 [N, H, W] of 0 and 1, `counts` int32 [N] of ones, `logits` float32 [N, classes, H, W].
 * H and W are multiples of 32.
 */
export function emitOnnx(graph: Graph, source: WeightSource, options: EmitOptions): OnnxModel {
  const out = new OnnxWriter();
  const names = graph.nodes.map((node, id) => `v${id}_${node.op}`);
  const nameOf = (value: Value) => names[value.id]!;

  preprocess(out, options.input, nameOf(graph.values[0]!));
  graph.nodes.forEach((node, id) => void emitLayer(out, source, node, graph.values[id]!, nameOf));
  decide(out, nameOf(graph.output), graph.output.channels, options.decision);

  const outputs: OnnxTensorInfo[] = [
    { name: 'mask', type: 'uint8', shape: ['N', 'H', 'W'] },
    { name: 'counts', type: 'int32', shape: ['N'] },
  ];
  for (const name of ['logits', ...(options.layers ?? [])]) {
    const value = layerOf(graph, name);
    out.node('Identity', [nameOf(value)], {}, name);
    outputs.push({ name, type: 'float', shape: ['N', value.channels, `${name} height`, `${name} width`] });
  }
  const inputs: OnnxTensorInfo[] = [{ name: 'patches', type: 'uint8', shape: ['N', 'H', 'W', 3] }];
  return { name: options.name, nodes: out.nodes, initializers: out.initializers, inputs, outputs };
}

/** byte / 255 × range, minus mean, over std: one multiplication and one addition a channel. */
export function preprocess(out: OnnxWriter, { range, mean, std }: InputNormalisation, output: string): void {
  const scale = std.map(deviation => range[1] / 255 / deviation);
  const shift = mean.map((value, c) => -value / std[c]!);
  const planes = out.node('Transpose', ['patches'], { perm: [0, 3, 1, 2] });
  const pixels = out.node('Cast', [planes], { to: 1 });
  const scaled = out.node('Mul', [pixels, out.floats('pixel_scale', scale, [1, 3, 1, 1])]);
  out.node('Add', [scaled, out.floats('pixel_shift', shift, [1, 3, 1, 1])], {}, output);
}

/** Logits [N, classes, H, W] → outputs `mask` and `counts`. */
export function decide(out: OnnxWriter, logits: string, classes: number, decision: Decision): void {
  const all = decision.channels.length === classes;
  const picked = (from: string) =>
    all ? from : out.node('Gather', [from, out.integers('positive_classes', decision.channels)], { axis: 1 });
  const axis = () => out.integers('class_axis', [1]);

  let score: string;
  let bar: number;
  if (decision.rule === 'softmax') {
    const probabilities = picked(out.node('Softmax', [logits], { axis: 1 }));
    score = out.node('ReduceSum', [probabilities, axis()], { keepdims: 0 });
    bar = decision.probability;
  } else {
    const positive = picked(logits);
    score = out.node(
      decision.channels.length === 1 ? 'Squeeze' : 'ReduceMax',
      [positive, axis()],
      decision.channels.length === 1 ? {} : { keepdims: 0 },
    );
    bar = decision.logit;
  }
  const above = out.node('Greater', [score, out.floats('bar', [bar], [])]);
  out.node('Cast', [above], { to: 2 }, 'mask');
  // Ones are summed as floats, which every engine can; exact up to 2^24 pixels, a patch of 4096 × 4096.
  const ones = out.node('Cast', [above], { to: 1 });
  const sums = out.node('ReduceSum', [ones, out.integers('pixel_axes', [1, 2])], { keepdims: 0 });
  out.node('Cast', [sums], { to: 6 }, 'counts');
}
