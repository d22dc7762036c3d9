import { type Graph, inputsOf, type Value } from './graph.js';

/** Multiplications of convolutions and attention for an image of side × side pixels; the rest is under one in a hundred. */
export function multiplications(graph: Graph, side: number): number {
  return graph.nodes.reduce((sum, node, id) => {
    const { channels } = graph.values[id]!;
    if (node.op === 'conv') {
      const each = (node.input.channels / (node.groups ?? 1)) * node.kernel ** 2;
      return sum + channels * each * pixels(graph.values[id]!, side);
    }
    if (node.op === 'convTranspose')
      return sum + channels * node.input.channels * node.kernel ** 2 * pixels(node.input, side);
    if (node.op === 'positionAttention') {
      const [top, , bottom] = node.inputs;
      return sum + (top.channels + bottom.channels) * pixels(bottom, side) ** 2;
    }
    if (node.op !== 'attention') return sum;
    // Each query meets each key, then each value.
    const [queries, keys] = inputsOf(node).map(input => pixels(input, side)) as [number, number];
    return sum + 2 * channels * queries * keys;
  }, 0);
}

function pixels({ stride }: Value, side: number): number {
  if (typeof stride === 'number') return (side / stride) ** 2;
  return stride === 'global' ? 1 : Number.parseInt(stride, 10) ** 2;
}
