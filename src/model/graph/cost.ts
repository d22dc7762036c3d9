import type { Graph, Value } from './graph.js';

/** Multiplications of the convolutions for an image of side × side pixels; the rest is under one in a hundred. */
export function multiplications(graph: Graph, side: number): number {
  return graph.nodes.reduce((sum, node, id) => {
    if (node.op !== 'conv') return sum;
    const { channels } = graph.values[id]!;
    return sum + channels * node.input.channels * node.kernel ** 2 * pixels(graph.values[id]!, side);
  }, 0);
}

function pixels({ stride }: Value, side: number): number {
  return stride === 'global' ? 1 : (side / stride) ** 2;
}
