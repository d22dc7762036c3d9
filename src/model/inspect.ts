import { buildNetwork } from './architecture/network.js';
import { loadBundle, type ModelBundle } from './bundle.js';
import { multiplications } from './graph/cost.js';
import type { Stride } from './graph/graph.js';
import type { NormMode } from './norm/statistics.js';
import { SafetensorsFile } from './safetensors.js';

/** What is in a bundle, for people; see inspectBundle. */
export interface BundleReport {
  readonly bundle: ModelBundle;
  /** 'FPN/resnet34', 'ready ONNX graph (operator set 17)'. */
  readonly architecture: string;
  /** Only of smp's networks, whose layers are known. */
  readonly details?: NetworkDetails;
}

export interface NetworkDetails {
  /** Weights the network uses, batch-norm statistics included. */
  readonly parameters: number;
  /** Tensors by element type: { F16: 211 }. */
  readonly elementTypes: Readonly<Record<string, number>>;
  readonly weightBytes: number;
  /** Multiplications for one patch, in thousand millions. */
  readonly gigaMultiplications: number;
  /** Layers that `model run --layer` can give, with channels and the patch's side ÷ the layer's. */
  readonly layers: readonly { readonly name: string; readonly channels: number; readonly stride: Stride }[];
  /** Tensors in the file that nothing reads (deeper stages of a shallow encoder, a classification head, …). */
  readonly unused: readonly string[];
}

/** Loads a bundle (and throws what loadBundle throws) and says what it is made of. Reads no weights. */
export async function inspectBundle(path: string, signal?: AbortSignal, norm?: NormMode): Promise<BundleReport> {
  const bundle = await loadBundle(path, signal, { norm });
  if (bundle.network.kind === 'onnx')
    return { bundle, architecture: `ready ONNX graph (operator set ${bundle.network.ready.opset})` };
  const { architecture, weights } = bundle.network;
  const graph = buildNetwork(architecture);
  const file = await SafetensorsFile.open(weights);
  await file.close();
  const elementTypes: Record<string, number> = {};
  for (const name of graph.parameters.keys()) {
    const { dtype } = file.tensors.get(name)!;
    elementTypes[dtype] = (elementTypes[dtype] ?? 0) + 1;
  }
  const sizes = [...graph.parameters.values()].map(shape => shape.reduce((product, size) => product * size, 1));
  return {
    bundle,
    architecture: `${architecture.decoder.type}/${architecture.encoder}`,
    details: {
      parameters: sizes.reduce((sum, size) => sum + size, 0),
      elementTypes,
      weightBytes: [...file.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0),
      gigaMultiplications: multiplications(graph, bundle.patchSize) / 1e9,
      layers: [...graph.layers].map(([name, { channels, stride }]) => ({ name, channels, stride })),
      unused: [...file.tensors.keys()].filter(
        name => !graph.parameters.has(name) && !name.endsWith('num_batches_tracked'),
      ),
    },
  };
}
