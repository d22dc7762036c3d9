import type * as tfjs from '@tensorflow/tfjs-core';
import { type Graph, inputsOf, type Value } from '../graph/graph.js';
import type { WeightSource } from '../weights.js';
import type { Layer, Tf } from './layer.js';
import { makeLayer } from './layers.js';

/** A network on a TensorFlow.js device. Its tensors are channels last: [N, H, W, C]. */
export interface TfjsNetwork {
  /**
   * Runs a normalised image [N, H, W, 3] and gives the tensors of these values, the image untouched. Everything else
   * is freed as soon as nothing needs it any more, so memory is that of the widest moment, not of all layers.
   */
  run(image: tfjs.Tensor4D, wanted: readonly Value[]): tfjs.Tensor4D[];
  dispose(): void;
}

/** Loads the graph's weights onto the device of `tf`. */
export async function buildTfjs(tf: Tf, graph: Graph, source: WeightSource): Promise<TfjsNetwork> {
  const steps = new Map<number, Layer>();
  // A relu that alone reads a convolution is done by it; its own value is then the convolution's.
  const doneBy = new Map<number, number>();
  const readers = graph.values.map(() => 0);
  for (const input of graph.nodes.flatMap(inputsOf)) readers[input.id]! += 1;
  const named = new Set([...graph.layers.values()].map(({ id }) => id));
  graph.nodes.forEach((node, id) => {
    if (node.op !== 'relu' || graph.nodes[node.input.id]!.op !== 'conv') return;
    if (readers[node.input.id] === 1 && !named.has(node.input.id)) doneBy.set(id, node.input.id);
  });
  const withRelu = new Set(doneBy.values());
  for (const [id, node] of graph.nodes.entries())
    if (node.op !== 'input' && !doneBy.has(id))
      steps.set(id, await makeLayer(tf, node, graph.values[id]!, source, withRelu.has(id)));

  return {
    run(image, wanted) {
      const tensors = new Map<number, tfjs.Tensor4D>([[0, tf.clone(image)]]);
      const left = [...readers];
      for (const { id } of wanted) left[id]! += 1;
      const release = (id: number) => {
        left[id]! -= 1;
        if (left[id] === 0) tensors.get(id)?.dispose();
      };
      graph.nodes.forEach((node, id) => {
        const inputs = inputsOf(node);
        const source = doneBy.get(id);
        // Moving the tensor on keeps it alive for the relu's readers.
        if (source !== undefined) tensors.set(id, tensors.get(source)!);
        else if (node.op !== 'input') {
          tensors.set(id, steps.get(id)!.run(inputs.map(input => tensors.get(input.id)!)));
          for (const input of inputs) release(input.id);
        }
        if (left[id] === 0) tensors.get(id)!.dispose();
      });
      return wanted.map(({ id }) => tensors.get(id)!);
    },
    dispose: () => {
      for (const step of steps.values()) step.dispose();
    },
  };
}
