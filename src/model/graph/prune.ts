import { type Graph, type GraphNode, inputsOf, type Value } from './graph.js';

/** Drops what neither the output nor a layer needs, and numbers the rest anew. */
export function withoutDead(graph: Graph): Graph {
  const needed = new Set([0, graph.output.id, ...[...graph.layers.values()].map(({ id }) => id)]);
  for (let id = graph.nodes.length - 1; id >= 0; id--)
    if (needed.has(id)) for (const input of inputsOf(graph.nodes[id]!)) needed.add(input.id);
  const ids = [...needed].sort((a, b) => a - b);
  const values = new Map(ids.map((old, id) => [old, { ...graph.values[old]!, id }]));
  const moved = (value: Value) => values.get(value.id)!;
  return {
    nodes: ids.map(old => relink(graph.nodes[old]!, moved)),
    values: [...values.values()],
    parameters: graph.parameters,
    layers: new Map([...graph.layers].map(([name, value]) => [name, moved(value)])),
    output: moved(graph.output),
  };
}

/** The node with its inputs moved. */
export function relink(node: GraphNode, moved: (value: Value) => Value): GraphNode {
  if (node.op === 'input') return node;
  if ('input' in node) return { ...node, input: moved(node.input) };
  if (node.op === 'concat') return { ...node, inputs: node.inputs.map(moved) };
  if (node.op === 'positionAttention') {
    const [top, centre, bottom] = node.inputs;
    return { ...node, inputs: [moved(top), moved(centre), moved(bottom)] };
  }
  return { ...node, inputs: [moved(node.inputs[0]), moved(node.inputs[1])] };
}
