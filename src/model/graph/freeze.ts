import type { Graph, GraphNode, GroupNormNode } from './graph.js';
import { withoutDead } from './prune.js';

/** Normalisations that take their statistics from the patch at hand: over groups of channels, or over each channel. */
export const groupNorms = ({ nodes }: Graph): GroupNormNode[] => nodes.filter(node => node.op === 'groupNorm');

/**
 * The same network with stored statistics in their place: a group norm is then what batch normalisation is at inference, a scale
 * and a shift a channel, which fold into the convolution before it. A mask no longer depends on what else is in the patch.
 */
export function freezeNorms(graph: Graph): Graph {
  return withoutDead({
    ...graph,
    nodes: graph.nodes.map(node => (node.op === 'groupNorm' ? frozen(graph, node) : node)),
  });
}

function frozen({ nodes }: Graph, { name, groups, epsilon, input }: GroupNormNode): GraphNode {
  const conv = nodes[input.id]!;
  if ((conv.op !== 'conv' && conv.op !== 'convTranspose') || conv.batchNorm)
    throw new RangeError(`${name} follows no convolution that it can fold into`);
  return { ...conv, batchNorm: { name, epsilon, groups } };
}
