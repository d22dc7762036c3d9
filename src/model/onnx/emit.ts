import type { Decision } from '../decision.js';
import { groupNorms } from '../graph/freeze.js';
import { type Graph, layerOf, type Value } from '../graph/graph.js';
import type { Affine } from '../int8/affine.js';
import { isQuantised } from '../int8/places.js';
import { affines, measuredPlaces, type Quantisation } from '../int8/quantisation.js';
import type { InputNormalisation } from '../manifest.js';
import type { WeightSource } from '../weights.js';
import { emitRanges, int8Conv, throughBytes } from './bytes.js';
import { emitLayer } from './layers.js';
import type { OnnxModel, OnnxTensorInfo } from './model.js';
import { emitMoments } from './moments.js';
import { decide, type Extras, PORTS, preprocess } from './surround.js';
import { OnnxWriter } from './writer.js';

/** Changes whenever the same bundle would give another file; part of the cache's key. */
export const EMIT_VERSION = 7;

export interface EmitOptions extends Extras {
  readonly name: string;
  readonly input: InputNormalisation;
  readonly decision: Decision;
  /** Also give these layers of the graph, float32 [N, channels, H / stride, W / stride], under their own names. */
  readonly layers?: readonly string[];
  /** Compute the network in float16; for GPUs that are faster then. Bytes in and scores out stay as they are. */
  readonly half?: boolean;
  /** For GPUs: NaN goes through a relu as NaN, as it does on CPUs. */
  readonly keepNaN?: boolean;
  /** Compute the convolutions on bytes. */
  readonly quantisation?: Quantisation | undefined;
  /** Also give the ranges of the tensors that would become bytes (see emitRanges), the moments of the norms (see emitMoments). */
  readonly measured?: readonly string[];
}

/**
 * The network in ONNX, with what stands before and behind it (PORTS):
 * patches uint8 [N, H, W, 3] → bytes normalised, channels first → network → threshold →
 * mask uint8 [N, H, W] of 0 and 1, counts int32 [N] of ones, sums float32 [N] of scores, logits float32 [N, classes, H, W].
 * H and W are multiples of 32.
 */
export function emitOnnx(graph: Graph, source: WeightSource, options: EmitOptions): OnnxModel {
  const out = new OnnxWriter({ half: options.half ?? false, keepNaN: options.keepNaN ?? false });
  const toNetwork = (name: string) => (out.half ? out.cast(name, 'float16') : name);
  const fromNetwork = (name: string) => (out.half ? out.cast(name, 'float') : name);
  const names = graph.nodes.map((node, id) => `v${id}_${node.op}`);
  const nameOf = (value: Value) => names[value.id]!;

  const image = preprocess(out, options.input, 'image', options.tta);
  out.node('Identity', [toNetwork(image)], {}, nameOf(graph.values[0]!));
  const bytes = options.quantisation ? affines(graph, options.quantisation) : new Map<Value, Affine>();
  graph.nodes.forEach((node, id) => {
    const value = graph.values[id]!;
    const input = node.op === 'conv' && isQuantised(node) ? bytes.get(node.input) : undefined;
    if (node.op === 'conv' && input)
      int8Conv(out, source, node, value, [nameOf(node.input), input.scale, nameOf(value)]);
    else emitLayer(out, source, node, value, nameOf);
    const made = bytes.get(value);
    if (made) names[id] = throughBytes(out, names[id]!, made);
  });
  const measured = new Set(options.measured);
  if (measured.has(PORTS.ranges)) emitRanges(out, measuredPlaces(graph), nameOf);
  if (measured.has(PORTS.moments)) emitMoments(out, groupNorms(graph), nameOf);
  const logits = fromNetwork(nameOf(graph.output));
  decide(out, logits, graph.output.channels, options.decision, options);

  const outputs = standardOutputs('N', 'H', graph.output.channels, options);
  for (const name of options.layers ?? []) {
    const value = layerOf(graph, name);
    out.node('Identity', [fromNetwork(nameOf(value))], {}, name);
    outputs.push({ name, type: 'float', shape: ['N', value.channels, `${name} height`, `${name} width`] });
  }
  if (measured.has(PORTS.moments)) outputs.push({ name: PORTS.moments, type: 'float', shape: [1, 'groups', 2] });
  if (measured.has(PORTS.ranges))
    outputs.push({ name: PORTS.ranges, type: 'float', shape: [1, measuredPlaces(graph).length, 2, 1] });
  const inputs: OnnxTensorInfo[] = [{ name: PORTS.patches, type: 'uint8', shape: ['N', 'H', 'W', 3] }];
  return { name: options.name, nodes: out.nodes, initializers: out.initializers, inputs, outputs };
}

/** Mask, counts, sums, logits and, when they are asked for, probabilities and scores; sizes that are not fixed are named. */
export function standardOutputs(
  batch: number | 'N',
  side: number | 'H',
  classes: number | 'C',
  { probabilities = false, scores = false }: Extras = {},
): OnnxTensorInfo[] {
  const width = side === 'H' ? 'W' : side;
  return [
    { name: PORTS.mask, type: 'uint8', shape: [batch, side, width] },
    { name: PORTS.counts, type: 'int32', shape: [batch] },
    { name: PORTS.sums, type: 'float', shape: [batch] },
    { name: PORTS.logits, type: 'float', shape: [batch, classes, side, width] },
    ...(probabilities ? [{ name: PORTS.probabilities, type: 'uint8', shape: [batch, side, width] } as const] : []),
    ...(scores ? [{ name: PORTS.scores, type: 'float', shape: [batch, side, width] } as const] : []),
  ];
}
