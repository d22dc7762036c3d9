import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { loadBundle, readJson } from '#src/model/bundle.js';
import { decisionOf } from '#src/model/decision.js';
import { parseManifest } from '#src/model/manifest.js';
import { wrapModel } from '#src/model/onnx/wrap.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { REPOSITORY, seedsOf, textSeed } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB } from './read-slide.mjs';

const CODES = ['MODEL_INVALID', 'MODEL_TENSOR', 'MODEL_UNSUPPORTED', 'MODEL_NOT_FOUND'];
const STARTER = 'models/stroma-fpn-resnet34-starter';
const read = name => readFileSync(join(REPOSITORY, STARTER, name));

/** A safetensors file of four small tensors. */
function smallSafetensors() {
  const tensor = (dtype, shape, from, to) => ({ dtype, shape, data_offsets: [from, to] });
  const header = {
    __metadata__: { format: 'pt' },
    'conv.weight': tensor('F32', [2, 1, 3, 3], 0, 72),
    'conv.bias': tensor('F16', [2], 72, 76),
    'bn.weight': tensor('BF16', [2], 76, 80),
    steps: tensor('I64', [], 80, 88),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(text.length);
  return { text, file: Buffer.concat([length, text, Buffer.alloc(88, 1)]) };
}

const { text: HEADER, file: SAFETENSORS } = smallSafetensors();

async function readAll(path) {
  const file = await SafetensorsFile.open(path);
  try {
    for (const { name, dtype } of file.tensors.values())
      await (dtype.startsWith('I') ? file.bytes(name) : file.read(name));
  } finally {
    await file.close();
  }
}

const UNET = textSeed(
  'unet',
  JSON.stringify({
    _model_class: 'Unet',
    encoder_name: 'vgg16_bn',
    encoder_depth: 5,
    decoder_use_norm: { type: 'batchnorm', eps: 1e-5 },
    decoder_channels: [256, 128, 64, 32, 16],
    decoder_attention_type: 'scse',
    classes: 3,
    activation: 'softmax',
  }),
);

/** Models as a lab hands them over. */
export const MODELS = [
  {
    name: 'safetensors',
    seeds: () => [{ name: 'small', bytes: SAFETENSORS }],
    mutate: mutateBytes,
    codes: CODES,
    bound: { base: MIB, perByte: 64 },
    run: (bytes, files) => readAll(files.write('model.safetensors', bytes)),
  },
  {
    // The header's text, with the length that belongs to it.
    name: 'safetensors-header',
    seeds: () => [{ name: 'header', bytes: HEADER }],
    mutate: mutateText,
    codes: CODES,
    bound: { base: MIB, perByte: 64 },
    run: (bytes, files) => {
      const length = Buffer.alloc(8);
      length.writeUInt32LE(bytes.length);
      return readAll(files.write('model.safetensors', Buffer.concat([length, bytes, Buffer.alloc(88)])));
    },
  },
  {
    name: 'model-config',
    seeds: () => [{ name: 'starter', bytes: read('config.json') }, UNET],
    mutate: mutateText,
    codes: CODES,
    bound: { base: 16 * MIB, perByte: 64 },
    run: async (bytes, files) => {
      const path = files.write('config.json', bytes);
      buildNetwork(parseArchitecture(await readJson(path), path));
    },
  },
  {
    name: 'model-manifest',
    seeds: () => [
      { name: 'starter', bytes: read('stromaflow.json') },
      textSeed(
        'labels',
        '{"name":"m","version":"1","positiveClasses":[0],"labels":[{"value":1,"name":"stroma","meaning":"positive"}]}',
      ),
    ],
    mutate: mutateText,
    codes: CODES,
    bound: { base: MIB, perByte: 64 },
    run: async (bytes, files) => {
      const path = files.write('stromaflow.json', bytes);
      parseManifest(await readJson(path), { outputs: 1, name: 'model', path });
    },
  },
  {
    // Read as a bundle, and once more as it is made ready for an engine; what the engine's own library does with it is not
    // ours to fuzz.
    name: 'onnx',
    seeds: () => seedsOf('golden', 'model_ready', /\.onnx$/),
    mutate: mutateBytes,
    codes: CODES,
    bound: { base: 8 * MIB, perByte: 256 },
    setUp: files => {
      for (const { name, bytes } of seedsOf('golden', 'model_ready', /\.data$/)) files.write(name, bytes);
    },
    run: async (bytes, files) => {
      const bundle = await loadBundle(files.write('model.onnx', bytes), undefined, { positiveClasses: [0] });
      const { network, input, outputs: classes } = bundle;
      const decision = decisionOf(bundle.scores, bundle);
      for await (const piece of wrapModel(network.ready, { input, decision, classes })) piece.at(0);
    },
  },
];
