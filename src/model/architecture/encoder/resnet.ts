import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';
import { squeezeExcite } from './squeeze.js';

/**
 * ResNet (He et al. 2015, arXiv:1512.03385) as an encoder: five stages, each halving the image, each remembering its
 * output for the decoder. Stage 1 is a 7 × 7 convolution; the others are runs of blocks.
 *
 *     image ─7×7/2─ f1 ─pool/2─ layer1 ─ f2 ─ layer2/2 ─ f3 ─ layer3/2 ─ f4 ─ layer4/2 ─ f5
 *     3 ch          64 ch, S/2            64, S/4       128, S/8       256, S/16        512, S/32
 *
 * From 50 layers on, blocks are bottlenecks and give four times the channels. ResNeXt (Xie et al. 2016, arXiv:1611.05431) widens the
 * middle of the bottleneck and splits it into groups. timm has both with squeeze and excitation (Hu et al. 2017, arXiv:1709.01507) before
 * the sum; smp's own are in senet.ts.
 */
interface Shape {
  /** Blocks a stage. */
  readonly blocks: readonly [number, number, number, number];
  readonly bottleneck?: Bottleneck;
  readonly squeezes?: true | undefined;
}

/** Its 3 × 3 convolution has ⌊stage's channels × width ÷ 64⌋ × groups channels. */
interface Bottleneck {
  readonly groups: number;
  readonly width: number;
}

const PLAIN: Bottleneck = { groups: 1, width: 64 };
const NEXT: Bottleneck = { groups: 32, width: 4 };
const SHAPES: Readonly<Record<string, Shape>> = {
  resnet18: { blocks: [2, 2, 2, 2] },
  resnet34: { blocks: [3, 4, 6, 3] },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: PLAIN },
  resnet101: { blocks: [3, 4, 23, 3], bottleneck: PLAIN },
  resnet152: { blocks: [3, 8, 36, 3], bottleneck: PLAIN },
  resnext50_32x4d: { blocks: [3, 4, 6, 3], bottleneck: NEXT },
  resnext101_32x4d: { blocks: [3, 4, 23, 3], bottleneck: NEXT },
  resnext101_32x8d: { blocks: [3, 4, 23, 3], bottleneck: { groups: 32, width: 8 } },
};

const SQUEEZING: Readonly<Record<string, Shape>> = {
  seresnet50: { blocks: [3, 4, 6, 3], bottleneck: PLAIN, squeezes: true },
  seresnet101: { blocks: [3, 4, 23, 3], bottleneck: PLAIN, squeezes: true },
  seresnet152: { blocks: [3, 8, 36, 3], bottleneck: PLAIN, squeezes: true },
  seresnext50_32x4d: { blocks: [3, 4, 6, 3], bottleneck: NEXT, squeezes: true },
  seresnext101_32x4d: { blocks: [3, 4, 23, 3], bottleneck: NEXT, squeezes: true },
  seresnext101_32x8d: { blocks: [3, 4, 23, 3], bottleneck: { groups: 32, width: 8 }, squeezes: true },
};

const COMMON = { depth: 5, centre: false } as const;

/** timm's are the same networks under `encoder.model.`, but for how it dilates them. */
export const RESNETS: readonly [string, Encoder][] = [
  ...Object.entries(SHAPES).map(([name, shape]): [string, Encoder] => [
    name,
    { ...COMMON, dilates: true, build: (g, depth, stride) => resnet(g, 'encoder', shape, depth, stride) },
  ]),
  ...Object.entries({ ...SHAPES, ...SQUEEZING }).map(([name, shape]): [string, Encoder] => [
    `tu-${name}`,
    { ...COMMON, dilates: false, build: (g, depth) => resnet(g, 'encoder.model', shape, depth, 32) },
  ]),
];

const REDUCTION = 16;
const CHANNELS = [64, 128, 256, 512] as const;

/** Features [f0, …, f_depth]: the image itself, then one tensor a stage. */
function resnet(g: GraphBuilder, root: string, shape: Shape, depth: number, outputStride: OutputStride): Value[] {
  let x = g.conv(g.image, `${root}.conv1`, { out: 64, kernel: 7, stride: 2, batchNorm: `${root}.bn1` });
  x = g.layer(g.relu(x), root === 'encoder' ? `${root}.relu` : `${root}.act1`);
  const features = [g.image, x];
  if (depth >= 2) x = g.maxPool(x, { size: 3, stride: 2, padding: 1 });
  for (let stage = 0; stage < depth - 1; stage++) {
    const h = stageOf(g, 2 ** (stage + 2), outputStride);
    for (let block = 0; block < shape.blocks[stage]!; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const name = `${root}.layer${stage + 1}.${block}`;
      x = shape.bottleneck
        ? bottleneck(h, x, name, CHANNELS[stage]!, stride, { ...shape.bottleneck, squeezes: shape.squeezes })
        : basicBlock(h, x, name, CHANNELS[stage]!, stride);
    }
    features.push(g.layer(x, `${root}.layer${stage + 1}`));
  }
  return features;
}

/** Two 3 × 3 convolutions learn a correction to the input, which is added back: relu(x + f(x)). */
function basicBlock(g: GraphBuilder, x: Value, name: string, out: number, stride: number): Value {
  let y = g.conv(x, `${name}.conv1`, { out, kernel: 3, stride, batchNorm: `${name}.bn1` });
  y = g.conv(g.relu(y), `${name}.conv2`, { out, kernel: 3, batchNorm: `${name}.bn2` });
  return g.relu(g.add(y, shortcut(g, x, name, out, stride)));
}

/** The correction is learned with fewer channels: 1 × 1 down, 3 × 3, 1 × 1 up to four times `channels`. */
function bottleneck(
  g: GraphBuilder,
  x: Value,
  name: string,
  channels: number,
  stride: number,
  { groups, width, squeezes }: Bottleneck & Pick<Shape, 'squeezes'>,
): Value {
  const middle = Math.floor((channels * width) / 64) * groups;
  const out = channels * 4;
  let y = g.relu(g.conv(x, `${name}.conv1`, { out: middle, kernel: 1, batchNorm: `${name}.bn1` }));
  y = g.relu(g.conv(y, `${name}.conv2`, { out: middle, kernel: 3, stride, groups, batchNorm: `${name}.bn2` }));
  y = g.conv(y, `${name}.conv3`, { out, kernel: 1, batchNorm: `${name}.bn3` });
  if (squeezes) {
    const names = { reduce: `${name}.se.fc1`, expand: `${name}.se.fc2` };
    y = squeezeExcite(g, y, { ...names, squeezed: out / REDUCTION, activation: 'relu' });
  }
  return g.relu(g.add(y, shortcut(g, x, name, out, stride)));
}

/** Where the shape changes, a 1 × 1 convolution brings the input to the correction's shape. */
function shortcut(g: GraphBuilder, x: Value, name: string, out: number, stride: number): Value {
  if (stride === 1 && x.channels === out) return x;
  return g.conv(x, `${name}.downsample.0`, { out, kernel: 1, stride, batchNorm: `${name}.downsample.1` });
}
