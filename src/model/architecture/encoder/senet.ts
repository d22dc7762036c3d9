import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';
import { squeezeExcite } from './squeeze.js';

/**
 * SE-ResNet and SE-ResNeXt (Hu et al. 2017, arXiv:1709.01507) as smp has them, ported from Caffe: ResNets of bottlenecks whose
 * correction is weighed channel by channel before it is added.
 *
 *     x ─1×1─3×3─1×1─ squeeze and excite ─(+)─ relu
 *     └──────────── shortcut ──────────────┘
 *
 * From Caffe come a pooling that reaches beyond the far edges instead of around all of them, and the stride of an SE-ResNet in the first
 * 1 × 1 convolution.
 */
interface Shape {
  readonly blocks: readonly [number, number, number, number];
  /** ResNeXt: the 3 × 3 convolution has ⌊channels × width ÷ 64⌋ × groups channels and the stride. */
  readonly next?: { readonly groups: number; readonly width: number };
}

const NEXT = { groups: 32, width: 4 } as const;
const SHAPES: Readonly<Record<string, Shape>> = {
  se_resnet50: { blocks: [3, 4, 6, 3] },
  se_resnet101: { blocks: [3, 4, 23, 3] },
  se_resnet152: { blocks: [3, 8, 36, 3] },
  se_resnext50_32x4d: { blocks: [3, 4, 6, 3], next: NEXT },
  se_resnext101_32x4d: { blocks: [3, 4, 23, 3], next: NEXT },
};

export const SENETS = Object.entries(SHAPES).map(([name, shape]): [string, Encoder] => [
  name,
  { depth: 5, centre: false, dilates: true, build: (g, depth, stride) => senet(g, shape, depth, stride) },
]);

const CHANNELS = [64, 128, 256, 512] as const;
const REDUCTION = 16;

/** Features [f0, …, f_depth]. */
function senet(g: GraphBuilder, shape: Shape, depth: number, outputStride: OutputStride): Value[] {
  const first = { out: 64, kernel: 7, stride: 2, batchNorm: 'encoder.layer0.bn1' };
  let x = g.layer(g.relu(g.conv(g.image, 'encoder.layer0.conv1', first)), 'encoder.layer0');
  const features = [g.image, x];
  if (depth >= 2) x = g.maxPool(x, { size: 3, stride: 2, padding: [0, 0, 1, 1] });
  for (let stage = 0; stage < depth - 1; stage++) {
    const h = stageOf(g, 2 ** (stage + 2), outputStride);
    for (let block = 0; block < shape.blocks[stage]!; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = bottleneck(h, x, `encoder.layer${stage + 1}.${block}`, CHANNELS[stage]!, stride, shape);
    }
    features.push(g.layer(x, `encoder.layer${stage + 1}`));
  }
  return features;
}

function bottleneck(g: GraphBuilder, x: Value, name: string, channels: number, stride: number, { next }: Shape): Value {
  const middle = next ? Math.floor((channels * next.width) / 64) * next.groups : channels;
  const out = channels * 4;
  const [early, late] = next ? [1, stride] : [stride, 1];
  const groups = next?.groups ?? 1;
  let y = g.relu(g.conv(x, `${name}.conv1`, { out: middle, kernel: 1, stride: early, batchNorm: `${name}.bn1` }));
  y = g.relu(g.conv(y, `${name}.conv2`, { out: middle, kernel: 3, stride: late, groups, batchNorm: `${name}.bn2` }));
  y = g.conv(y, `${name}.conv3`, { out, kernel: 1, batchNorm: `${name}.bn3` });
  y = squeezeExcite(g, y, {
    reduce: `${name}.se_module.fc1`,
    expand: `${name}.se_module.fc2`,
    squeezed: out / REDUCTION,
    activation: 'relu',
  });
  const same = stride === 1 && x.channels === out;
  const beside = { out, kernel: 1, stride, batchNorm: `${name}.downsample.1` };
  return g.relu(g.add(y, same ? x : g.conv(x, `${name}.downsample.0`, beside)));
}
