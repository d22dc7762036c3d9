import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { StromaflowError } from '../errors.js';
import { type Decision, decisionOf } from '../model/decision.js';
import { layerOf } from '../model/graph/graph.js';
import { simplify } from '../model/graph/simplify.js';
import type { InputNormalisation } from '../model/manifest.js';
import { graphOf, openWeights } from '../model/norm/network.js';
import { SUM_SCALE } from '../model/onnx/surround.js';
import { checkSides } from '../model/sides.js';
import type { Tf } from '../model/tfjs/layer.js';
import { buildTfjs } from '../model/tfjs/network.js';
import { type View, viewsOf } from '../model/views.js';
import type { BackendOptions, EngineBackend, LayerOutput } from './backend.js';
import { loadExactBundle } from './load-exact.js';
import { notFinitePlaces } from './not-finite.js';
import { openTfjs } from './tfjs-device.js';

/** TensorFlow.js: the second engine family, running the same network from the same definition. */
export async function createTfjsBackend(options: BackendOptions): Promise<EngineBackend> {
  const { engine, patchSize, layers } = options;
  const bundle = await loadExactBundle(options);
  if (bundle.network.kind === 'onnx')
    throw new StromaflowError(
      'MODEL_UNSUPPORTED',
      `${bundle.name} is a ready ONNX graph, which TensorFlow.js cannot run`,
      {
        fix: 'choose an onnxruntime engine, or give the bundle as saved by save_pretrained',
      },
    );
  if (options.half)
    throw new StromaflowError('USAGE', `${engine} computes in float32 only`, { fix: 'leave --half off' });
  const graph = simplify(graphOf(bundle.network), layers);
  const { tf, version, device } = await openTfjs(engine);
  const weights = await openWeights(bundle.network);
  const network = await buildTfjs(tf, graph, weights).finally(() => weights.close());
  const decision = decisionOf(bundle.scores, bundle);
  const normalise = normaliser(bundle.input);
  const views = viewsOf(options.tta);

  return {
    name: engine.startsWith('tfjs-node') ? engine : 'tfjs',
    version,
    device,
    async run(patches) {
      const count = patches.length;
      const area = patchSize * patchSize;
      const mask = new Uint8Array(count * area);
      const counts = new Int32Array(count);
      const sums = new Float32Array(count);
      const probabilities = options.probabilities ? new Uint8Array(count * area) : undefined;
      const scores = options.scores ? new Float32Array(count * area) : undefined;
      // One patch at a time: the device is as busy, and memory is a patch's.
      for (const [patch, pixels] of patches.entries()) {
        const image = tf.tensor4d(normalise(pixels), [1, patchSize, patchSize, 3]);
        const { score, sum } = scoreOfViews(tf, image, views, decision, seen => network.run(seen, [graph.output])[0]!);
        image.dispose();
        const isProbability = views.length > 1 || !isLogit(decision);
        const above = tf.greater(score, isProbability ? decision.threshold : decision.bar);
        const probability = probabilities || scores ? (isProbability ? score.clone() : tf.sigmoid(score)) : undefined;
        score.dispose();
        const bytes =
          probability && probabilities && tf.tidy(() => tf.cast(tf.round(tf.mul(probability, 255)), 'int32'));
        const bits = await above.data<'bool'>();
        above.dispose();
        sums[patch] = (await sum.data<'float32'>())[0]!;
        sum.dispose();
        mask.set(bits, patch * area);
        counts[patch] = bits.reduce((sum, bit) => sum + bit, 0);
        if (bytes) probabilities.set(await bytes.data<'int32'>(), patch * area);
        if (probability && scores) scores.set(await probability.data<'float32'>(), patch * area);
        bytes?.dispose();
        probability?.dispose();
      }
      const notFinite = notFinitePlaces(sums);
      return { mask, counts, notFinite, ...(probabilities && { probabilities }), ...(scores && { scores }) };
    },
    async evaluate(pixels, height, width) {
      checkSides(bundle, height, width);
      const image = tf.tensor4d(normalise(pixels), [1, height, width, 3]);
      const names = ['logits', ...layers];
      const outputs = network.run(
        image,
        names.map(name => layerOf(graph, name)),
      );
      image.dispose();
      const results: LayerOutput[] = [];
      for (const [i, name] of names.entries()) results.push(await channelsFirst(tf, name, outputs[i]!));
      for (const output of new Set(outputs)) output.dispose();
      return results;
    },
    close: async () => network.dispose(),
  };
}

/** The arithmetic of the ONNX graph's input, on the bytes of one image. */
function normaliser({ range, mean, std }: InputNormalisation) {
  const scale = std.map(deviation => range[1] / 255 / deviation);
  const shift = mean.map((value, c) => -value / std[c]!);
  return (pixels: Uint8Array): Float32Array => {
    const values = new Float32Array(pixels.length);
    for (let i = 0; i < pixels.length; i += 3) {
      values[i] = pixels[i]! * scale[0]! + shift[0]!;
      values[i + 1] = pixels[i + 1]! * scale[1]! + shift[1]!;
      values[i + 2] = pixels[i + 2]! * scale[2]! + shift[2]!;
    }
    return values;
  };
}

/** What is compared with the decision's bar, of several views the mean of their probabilities; and a sum that is finite while every score is. */
function scoreOfViews(
  tf: Tf,
  image: Tensor4D,
  views: readonly View[],
  decision: Decision,
  run: (image: Tensor4D) => Tensor4D,
): { score: Tensor; sum: Tensor } {
  return tf.tidy(() => {
    const sums: Tensor[] = [];
    const scores = views.map(view => {
      const turned = view.transposed ? tf.transpose(image, [0, 2, 1, 3]) : image;
      const logits = run(reversed(tf, turned, view));
      sums.push(tf.sum(tf.mul(logits, SUM_SCALE)));
      const score = scoreOf(tf, logits, decision);
      if (views.length === 1) return score;
      const upright = reversed(tf, isLogit(decision) ? tf.sigmoid(score) : score, view);
      return view.transposed ? tf.transpose(upright, [0, 2, 1]) : upright;
    });
    const all = (tensors: readonly Tensor[]) => tensors.reduce((sum, tensor) => tf.add(sum, tensor));
    return { score: views.length === 1 ? scores[0]! : tf.div(all(scores), views.length), sum: all(sums) };
  });
}

/** With its rows, its columns or both in reverse; those are the second and the third axis. */
function reversed<T extends Tensor>(tf: Tf, map: T, { reversedRows, reversedColumns }: View): T {
  const axes = [...(reversedRows ? [1] : []), ...(reversedColumns ? [2] : [])];
  return axes.length === 0 ? map : tf.reverse(map, axes);
}

function scoreOf(tf: Tf, logits: Tensor4D, { rule, channels }: Decision): Tensor {
  const scores = rule === 'sum' ? tf.softmax(logits, 3) : logits;
  const picked = channels.length === logits.shape[3] ? scores : tf.gather(scores, [...channels], 3);
  return rule === 'sum' ? tf.sum(picked, 3) : tf.max(picked, 3);
}

const isLogit = ({ rule, of }: Decision): boolean => rule === 'any' && of === 'logits';

async function channelsFirst(tf: Tf, name: string, values: Tensor4D): Promise<LayerOutput> {
  const moved = tf.transpose(values, [0, 3, 1, 2]);
  const output = { name, shape: moved.shape, values: (await moved.data()) as Float32Array };
  moved.dispose();
  return output;
}
