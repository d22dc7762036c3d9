import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { StromaflowError } from '../errors.js';
import { type Architecture, parseArchitecture } from './architecture/config.js';
import { buildNetwork } from './architecture/network.js';
import { type Manifest, parseManifest } from './manifest.js';
import { SafetensorsFile } from './safetensors.js';
import { checkParameters } from './weights.js';

/** A model as a lab hands it over: facts only, no weights in memory; safe to send to another thread. */
export interface ModelBundle extends Manifest {
  /** Absolute path of the bundle's folder. */
  readonly path: string;
  /** `<author's version>+<first 8 hex digits of the content hash>`: changes whenever a file of the bundle does. */
  readonly version: string;
  /** SHA-256, hex, over the names and bytes of the bundle's files. */
  readonly contentHash: string;
  readonly architecture: Architecture;
  /** Path of model.safetensors. */
  readonly weights: string;
  /** Fields of stromaflow.json that were absent; the study's values stand in for them. */
  readonly assumed: readonly string[];
}

const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';
const MANIFEST = 'stromaflow.json';

/**
 * Reads and checks a bundle folder: config.json and model.safetensors as segmentation_models_pytorch's
 * `save_pretrained` writes them, and stromaflow.json. Every tensor's name and shape is compared with the architecture.
 * Throws MODEL_NOT_FOUND, MODEL_INVALID, MODEL_TENSOR or MODEL_UNSUPPORTED; a cause of an aborted signal is rethrown.
 */
export async function loadBundle(path: string, signal?: AbortSignal): Promise<ModelBundle> {
  const folder = resolve(path);
  await refuseWhatIsNoBundle(folder);
  const architecture = parseArchitecture(await readJson(join(folder, CONFIG)), join(folder, CONFIG));
  const json = await readJson(join(folder, MANIFEST), 'optional');
  const { manifest, assumed } = parseManifest(json, architecture.classes, join(folder, MANIFEST), basename(folder));

  const weights = await SafetensorsFile.open(join(folder, WEIGHTS));
  try {
    checkParameters(buildNetwork(architecture), weights);
  } finally {
    await weights.close();
  }
  const contentHash = await hashFiles(folder, [CONFIG, WEIGHTS, ...(json === undefined ? [] : [MANIFEST])], signal);
  return {
    ...manifest,
    path: folder,
    version: `${manifest.version}+${contentHash.slice(0, 8)}`,
    contentHash,
    architecture,
    weights: weights.path,
    assumed,
  };
}

async function refuseWhatIsNoBundle(path: string): Promise<void> {
  const facts = await stat(path).catch(cause => {
    throw new StromaflowError('MODEL_NOT_FOUND', `${path} does not exist`, { cause });
  });
  if (facts.isDirectory()) return;
  if (/\.(pth|pt|ckpt|bin|tar)$/i.test(path))
    throw new StromaflowError('MODEL_UNSUPPORTED', `${path} is a PyTorch file, which can run code when it is opened`, {
      fix: conversionLine(path),
    });
  throw new StromaflowError('MODEL_NOT_FOUND', `${path} is a file, not a bundle folder`);
}

/** What turns a state dict into a bundle, to be typed where the model was trained. */
export function conversionLine(path: string): string {
  const model = "model = smp.FPN('resnet34', encoder_weights=None, classes=1)";
  const load = `model.load_state_dict(torch.load('${basename(path)}', map_location='cpu', weights_only=True))`;
  return `type: python -c "import torch, segmentation_models_pytorch as smp; ${model}; ${load}; model.save_pretrained('my-model')"`;
}

async function readJson(path: string, need: 'needed' | 'optional' = 'needed'): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (need === 'optional' && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StromaflowError('MODEL_NOT_FOUND', `${path} cannot be read`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StromaflowError('MODEL_INVALID', `${path}: not JSON`, { cause });
  }
}

async function hashFiles(folder: string, names: readonly string[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const name of names) {
    const file = join(folder, name);
    const { size } = await stat(file);
    hash.update(`${name} ${size}\n`);
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) }))
      hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
