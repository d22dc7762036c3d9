import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import { type Encoder, type OutputStride, stageOf } from './encoder.js';

/**
 * Mix Transformer, the encoder of SegFormer (Xie et al. 2021, arXiv:2105.15203): four stages, each of overlapping patches and of blocks
 * in which every pixel looks at the whole patch, and at its neighbours in between.
 *
 *     image ─7×7/4─ blocks ─ f2 ─3×3/2─ blocks ─ f3 ─3×3/2─ blocks ─ f4 ─3×3/2─ blocks ─ f5
 *
 *     block:  x ─norm─ attention ─(+)─norm─ 1×1 to 4× ─ 3×3 depthwise ─gelu─ 1×1 back ─(+)─
 *             └───────────────────┘└────────────────────────────────────────────────────┘
 *
 * Pixels attend to a coarser image of the same features, made by a convolution whose stride is its size: 8, 4, 2 and in the last stage
 * none. smp fills the place of f1 with a tensor of no channels. Layer norms have ε = 10⁻⁶, those of patches and of the coarser image
 * 10⁻⁵.
 */
interface Shape {
  readonly channels: readonly [number, number, number, number];
  readonly blocks: readonly [number, number, number, number];
}

const WIDE = [64, 128, 320, 512] as const;
const SHAPES: Readonly<Record<string, Shape>> = {
  mit_b0: { channels: [32, 64, 160, 256], blocks: [2, 2, 2, 2] },
  mit_b1: { channels: WIDE, blocks: [2, 2, 2, 2] },
  mit_b2: { channels: WIDE, blocks: [3, 4, 6, 3] },
  mit_b3: { channels: WIDE, blocks: [3, 4, 18, 3] },
  mit_b4: { channels: WIDE, blocks: [3, 8, 27, 3] },
  mit_b5: { channels: WIDE, blocks: [3, 6, 40, 3] },
};

const HEADS = [1, 2, 5, 8] as const;
const REDUCTIONS = [8, 4, 2, 1] as const;
const EPSILON = 1e-6;
const EPSILON_OF_PATCHES = 1e-5;

export const MIX_TRANSFORMERS = Object.entries(SHAPES).map(([name, shape]): [string, Encoder] => [
  name,
  {
    depth: 5,
    centre: false,
    emptyHalf: true,
    dilates: true,
    build: (g, depth, stride) => mixTransformer(g, shape, depth, stride),
  },
]);

/** Features [f0, …, f_depth]. */
function mixTransformer(g: GraphBuilder, shape: Shape, depth: number, outputStride: OutputStride): Value[] {
  let x = g.image;
  const features = [g.image, g.empty(2)];
  for (let stage = 0; stage < depth - 1; stage++) {
    const h = stageOf(g, 2 ** (stage + 2), outputStride);
    const number = stage + 1;
    const [kernel, stride] = stage === 0 ? [7, 4] : [3, 2];
    x = h.conv(x, `encoder.patch_embed${number}.proj`, { out: shape.channels[stage]!, kernel, stride });
    x = h.layerNorm(x, `encoder.patch_embed${number}.norm`, EPSILON_OF_PATCHES);
    for (let block = 0; block < shape.blocks[stage]!; block++) {
      const name = `encoder.block${number}.${block}`;
      x = h.add(x, attention(h, h.layerNorm(x, `${name}.norm1`, EPSILON), `${name}.attn`, stage));
      x = h.layer(h.add(x, mlp(h, h.layerNorm(x, `${name}.norm2`, EPSILON), `${name}.mlp`)), name);
    }
    x = h.layer(h.layerNorm(x, `encoder.norm${number}`, EPSILON), `encoder.norm${number}`);
    features.push(x);
  }
  return features;
}

function attention(g: GraphBuilder, x: Value, name: string, stage: number): Value {
  const { channels } = x;
  const linear = { kernel: 1, linear: true } as const;
  const queries = g.conv(x, `${name}.q`, { out: channels, ...linear });
  const size = REDUCTIONS[stage]!;
  let seen = x;
  if (size > 1) {
    seen = g.conv(x, `${name}.sr`, { out: channels, kernel: size, stride: size, padding: 0 });
    seen = g.layerNorm(seen, `${name}.norm`, EPSILON_OF_PATCHES);
  }
  const keysAndValues = g.conv(seen, `${name}.kv`, { out: 2 * channels, ...linear });
  return g.conv(g.attention(queries, keysAndValues, HEADS[stage]!), `${name}.proj`, { out: channels, ...linear });
}

function mlp(g: GraphBuilder, x: Value, name: string): Value {
  const wide = 4 * x.channels;
  let y = g.conv(x, `${name}.fc1`, { out: wide, kernel: 1, linear: true });
  y = g.conv(y, `${name}.dwconv.dwconv`, { out: wide, kernel: 3, groups: wide });
  return g.conv(g.activate(y, 'gelu'), `${name}.fc2`, { out: x.channels, kernel: 1, linear: true });
}
