import {
  type ConvNode,
  type Graph,
  type GraphNode,
  inputsOf,
  layerOf,
  type UpsampleNode,
  type Value,
} from './graph.js';
import { relink, withoutDead } from './prune.js';

/**
 * The same network with less work. Enlarging is linear and weighs its neighbours by numbers that sum to 1, so it can be
 * swapped with a sum and with a 1 × 1 convolution (bias included); both are cheaper on the small tensor:
 *
 *     up(a) + up(b)             → up(a + b)
 *     conv1×1(up(a) + b)        → up(conv1×1(a)) + conv1×1(b)      where the convolution has fewer outputs than inputs
 *
 * For FPN this leaves one channel instead of 128 to enlarge last. Layers named in `keep` stay what they are; the others
 * may no longer exist. Throws MODEL_UNSUPPORTED for a layer that the network does not have.
 */
export function simplify(graph: Graph, keep: readonly string[] = []): Graph {
  const rewriter = new Rewriter(graph, keep);
  graph.nodes.forEach((node, id) => {
    rewriter.rewrite(node, graph.values[id]!);
  });
  return withoutDead(rewriter.finish(graph));
}

class Rewriter {
  readonly #nodes: GraphNode[] = [];
  readonly #values: Value[] = [];
  /** Value of the old graph → value of the new one. */
  readonly #moved: Value[] = [];
  /** Values of the new graph that something else needs as they are. */
  readonly #pinned = new Set<Value>();
  readonly #uses: number[];
  readonly #keep: ReadonlySet<number>;

  constructor(graph: Graph, keep: readonly string[]) {
    this.#uses = graph.values.map(() => 0);
    for (const input of graph.nodes.flatMap(inputsOf)) this.#uses[input.id]! += 1;
    this.#keep = new Set([graph.output.id, ...keep.map(name => layerOf(graph, name).id)]);
  }

  rewrite(node: GraphNode, old: Value): void {
    const value = this.#swapped(node, old) ?? this.#push(this.#relinked(node), old);
    if (this.#uses[old.id]! > 1 || this.#keep.has(old.id)) this.#pinned.add(value);
    this.#moved.push(value);
  }

  finish({ layers, output, parameters }: Graph): Graph {
    const kept = [...layers].filter(([, value]) => this.#keep.has(value.id));
    return {
      nodes: this.#nodes,
      values: this.#values,
      parameters,
      layers: new Map(kept.map(([name, value]) => [name, this.#moved[value.id]!])),
      output: this.#moved[output.id]!,
    };
  }

  #swapped(node: GraphNode, old: Value): Value | undefined {
    if (node.op === 'add') {
      const [a, b] = node.inputs.map(input => this.#enlarged(this.#moved[input.id]!));
      if (!a || !b || a.factor !== b.factor || a.mode !== b.mode) return undefined;
      return this.#upsample(a, this.#push({ op: 'add', inputs: [a.input, b.input] }, a.input), old);
    }
    if (node.op !== 'conv' || node.kernel !== 1 || node.stride !== 1 || node.groups || node.batchNorm) return undefined;
    const input = this.#moved[node.input.id]!;
    if (this.#pinned.has(input) || old.channels >= input.channels) return undefined;
    const whole = this.#enlarged(input);
    if (whole) return this.#upsample(whole, this.#conv(node, whole.input, old.channels), old);
    const sum = this.#nodes[input.id]!;
    if (sum.op !== 'add') return undefined;
    const [large, fine] = sum.inputs;
    const coarse = this.#enlarged(large);
    if (!coarse) return undefined;
    const enlarged = this.#upsample(coarse, this.#conv(node, coarse.input, old.channels), old);
    const rest = this.#conv({ ...node, bias: false }, fine, old.channels);
    return this.#push({ op: 'add', inputs: [enlarged, rest] }, old);
  }

  /** The enlargement that makes this value, unless something else needs the value too. */
  #enlarged(value: Value): UpsampleNode | undefined {
    const node = this.#nodes[value.id]!;
    return node.op === 'upsample' && !this.#pinned.has(value) ? node : undefined;
  }

  #conv(node: ConvNode, input: Value, channels: number): Value {
    return this.#push({ ...node, input }, { channels, stride: input.stride });
  }

  #upsample({ factor, mode }: UpsampleNode, input: Value, like: Pick<Value, 'channels' | 'stride'>): Value {
    return this.#push({ op: 'upsample', input, factor, mode }, like);
  }

  #relinked(node: GraphNode): GraphNode {
    return relink(node, value => this.#moved[value.id]!);
  }

  #push(node: GraphNode, { channels, stride }: Pick<Value, 'channels' | 'stride'>): Value {
    const value = { id: this.#nodes.length, channels, stride };
    this.#nodes.push(node);
    this.#values.push(value);
    return value;
  }
}
