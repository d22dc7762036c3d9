import { type ConvNode, type Graph, type GraphNode, inputsOf, type Value } from '../graph/graph.js';

/** A tensor of the network that becomes bytes when the network is quantised. */
export interface BytePlace {
  readonly value: Value;
  /** Made of the layers it comes from, so that it is the same in every process: 'encoder.layer1.0.conv2/add/relu'. */
  readonly name: string;
  /** Has the range of this one: enlarging by repetition and taking a maximum make no new values. */
  readonly like?: Value;
}

/**
 * Where a (simplified) network is quantised: what its convolutions read and make, and what lies between two of them
 * where bytes can pass through. Normalisation, attention and the head, whose errors nothing after them evens out, stay float32, and so
 * do convolutions in groups, which are not faster on bytes, transposed ones, which no runtime has on bytes, and those of pooled maps. In the order of the network.
 */
export function bytePlaces(graph: Graph): BytePlace[] {
  const users = graph.nodes.map((): GraphNode[] => []);
  for (const node of graph.nodes) for (const { id } of inputsOf(node)) users[id]!.push(node);
  const wanted = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== 'conv' || !isQuantised(node)) continue;
    wanted.add(node.input.id);
    wanted.add(resultOf(graph, node, users).id);
  }
  // Backwards, so that what is wanted of a layer is known before its inputs are looked at.
  for (let id = graph.nodes.length - 1; id > 0; id--) {
    if (!wanted.has(id)) continue;
    let node = graph.nodes[id]!;
    if (node.op === 'relu' && users[node.input.id]!.length === 1) node = graph.nodes[node.input.id]!;
    if (passesBytes(node) || node.op === 'add' || node.op === 'concat')
      for (const input of inputsOf(node)) wanted.add(input.id);
  }
  const names = namesOf(graph);
  return [...wanted]
    .sort((a, b) => a - b)
    .map(id => {
      const [value, name, node] = [graph.values[id]!, names[id]!, graph.nodes[id]!];
      return passesBytes(node) ? { value, name, like: node.input } : { value, name };
    });
}

/** Whether this convolution multiplies bytes in a quantised network. */
export const isQuantised = ({ name, groups, linear, input }: ConvNode): boolean =>
  !groups && !linear && typeof input.stride === 'number' && !FLOAT.test(name);

/** The head, and what attention is weighed by. */
const FLOAT = /^segmentation_head|\.attention\d?\.|\.attn\.|\.(top|center)_conv$/;

/** What a convolution makes in the end: where only a relu reads it, that is done in the same step. */
function resultOf(graph: Graph, conv: ConvNode, users: readonly (readonly GraphNode[])[]): Value {
  const id = graph.nodes.indexOf(conv);
  const [user, another] = users[id]!;
  return user?.op === 'relu' && !another ? graph.values[graph.nodes.indexOf(user)]! : graph.values[id]!;
}

function passesBytes(node: GraphNode): node is Extract<GraphNode, { op: 'maxPool' | 'upsample' }> {
  return node.op === 'maxPool' || (node.op === 'upsample' && node.mode === 'nearest');
}

/** A convolution has its own name, every other layer that of its first input and what it does; a second one a number. */
function namesOf(graph: Graph): string[] {
  const names: string[] = [];
  const met = new Map<string, number>();
  for (const node of graph.nodes) {
    const [first] = inputsOf(node);
    const name =
      node.op === 'conv' || node.op === 'convTranspose' ? node.name : first ? `${names[first.id]}/${node.op}` : 'image';
    const count = (met.get(name) ?? 0) + 1;
    met.set(name, count);
    names.push(count === 1 ? name : `${name}#${count}`);
  }
  return names;
}
