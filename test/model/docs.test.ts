import { expect, it } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { DECODERS } from '#src/model/architecture/decoder/decoders.js';
import { ENCODERS } from '#src/model/architecture/encoder/encoders.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { multiplications } from '#src/model/graph/cost.js';
import { decoderFigures } from '../engine/decoder-figures.js';
import { encoderFigures, TRIED } from '../engine/encoder-figures.js';
import { expectGenerated, markdownTable } from '../support/generated-docs.js';

/** As the page names them, and which names these are. */
const FAMILIES: readonly (readonly [string, RegExp])[] = [
  ['`resnet18`, `34`, `50`, `101`, `152`', /^resnet\d/],
  ['`resnext50_32x4d`, `resnext101_32x4d`, `_32x8d`', /^resnext/],
  ['`se_resnet50`, `101`, `152`, `se_resnext50_32x4d`, `101_32x4d`', /^se_/],
  ['`vgg11`, `13`, `16`, `19`, each also `_bn`', /^vgg/],
  ['`densenet121`, `161`, `169`, `201`', /^densenet/],
  ['`mobilenet_v2`', /^mobilenet/],
  ['`efficientnet-b0` … `b7`', /^efficientnet-b/],
  ['`timm-efficientnet-b0` … `b7`, `timm-tf_efficientnet_lite0` … `4`', /^timm-/],
  ['`mit_b0` … `b5`', /^mit_/],
  [
    '`tu-resnet…` and `tu-resnext…` as above, `tu-seresnet50`, `101`, `152`, `tu-seresnext50_32x4d`, `101_32x4d`, `101_32x8d`',
    /^tu-(se)?resne/,
  ],
  ['`tu-densenet121`, `161`, `169`, `201`', /^tu-densenet/],
  [
    '`tu-efficientnet_b0` … `b7`, `tu-efficientnet_lite0` … `4`, the same with `tu-tf_`, `tu-mobilenetv2_100`',
    /^tu-(tf_)?(efficientnet|mobilenet)/,
  ],
];

it('docs/models.md lists every encoder and decoder, with what encoder-table.ts and decoder-table.ts measured', async () => {
  const { about, deltas, timed } = await encoderFigures();
  const names = [...ENCODERS.keys()];
  const familyOf = (name: string) => FAMILIES.filter(([, pattern]) => pattern.test(name));
  for (const name of names) expect(familyOf(name), name).toHaveLength(1);
  // VGG's and the smaller ResNets' own cases are held to 10⁻³ in test/engine/parity.test.ts.
  const worst = (pattern: RegExp) =>
    Math.max(...Object.entries(deltas).map(([name, delta]) => (pattern.test(name) ? delta : 0)));
  const encoders = FAMILIES.map(([label, pattern]) => [
    label,
    worst(pattern) === 0 ? 'see [engines.md](engines.md)' : worst(pattern).toExponential(0),
  ]);
  const speeds = TRIED.filter(name => name in timed).map(name => {
    const graph = buildNetwork(parseArchitecture({ _model_class: 'FPN', encoder_name: name }, name));
    const parameters = [...graph.parameters.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const { patchesPerSecond, times, int8 } = timed[name]!;
    return [
      `\`${name}\``,
      (parameters / 1e6).toFixed(1),
      (multiplications(graph, 512) / 1e9).toFixed(1),
      patchesPerSecond.toPrecision(2),
      times.toFixed(2),
      `${int8.times.toFixed(2)} ×`,
      int8.mean.toFixed(3),
      `${(int8.agreement * 100).toFixed(1)} %`,
    ];
  });
  const decoders = await decoderFigures();
  const rows = Object.keys(DECODERS).map(name => {
    const graph = buildNetwork(parseArchitecture({ _model_class: name }, name));
    const own = Object.entries(decoders.deltas).filter(([key]) => key.startsWith(`${name.toLowerCase()}-`));
    const known = decoders.timed[name];
    return [
      `\`${name}\``,
      own.length === 0 ? 'see [engines.md](engines.md)' : Math.max(...own.map(([, delta]) => delta)).toExponential(0),
      (multiplications(graph, 512) / 1e9).toFixed(1),
      ...(known ? [known.patchesPerSecond.toPrecision(2), known.times.toFixed(2)] : ['', '']),
      ...(known ? [`${known.int8.times.toFixed(2)} ×`, known.int8.mean.toFixed(3)] : ['', '']),
      known ? `${(known.int8.agreement * 100).toFixed(1)} %` : '',
    ];
  });
  const columns = ['GMAC, 512 px', 'patches/s and core', '÷ FPN', 'int8', 'mean \\|Δlogit\\|', 'pixels that agree'];
  await expectGenerated('models.md', {
    decoders: `${decoders.about}:\n\n${markdownTable(['decoder', 'max \\|Δlogit\\| ÷ range', ...columns], rows)}`,
    encoders: markdownTable(['encoders', 'max \\|Δlogit\\| ÷ range'], encoders),
    'encoder-speeds': `${about}:\n\n${markdownTable(
      [
        'FPN on',
        'million parameters',
        'GMAC, 512 px',
        'patches/s and core',
        '÷ resnet34',
        'int8',
        'mean \\|Δlogit\\|',
        'pixels that agree',
      ],
      speeds,
    )}`,
  });
});
