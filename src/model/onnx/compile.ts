import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { makeFolder } from '../../process/make-folder.js';
import type { ModelBundle, OnnxNetwork, SmpNetwork } from '../bundle.js';
import { decisionOf } from '../decision.js';
import { simplify } from '../graph/simplify.js';
import { graphOf, openWeights } from '../norm/network.js';
import { viewsOf } from '../views.js';
import { EMIT_VERSION, emitOnnx } from './emit.js';
import { encodeModel } from './model.js';
import { type Extras, PORTS } from './surround.js';
import { wrapModel } from './wrap.js';

const uncompilable = (folder: string, cause: unknown): StromaflowError =>
  new StromaflowError('OUTPUT_FAILED', `the model cannot be compiled into ${folder}`, {
    cause,
    fix: 'let XDG_CACHE_HOME name a folder that can be written, with 200 MB free',
  });

/** Where compiled models are kept unless told otherwise: $XDG_CACHE_HOME/stromaflow or ~/.cache/stromaflow. */
export function defaultCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'stromaflow');
}

/** Extras are of the graph: another file then, so that other runs do not compute them. */
export interface CompileOptions extends Extras {
  readonly cacheFolder?: string;
  /** Further outputs: layers (see EmitOptions), or PORTS.ranges and PORTS.moments. */
  readonly layers?: readonly string[];
  /** The network computes in float16. */
  readonly half?: boolean;
  /** For GPUs: NaN goes through a relu as NaN, as it does on CPUs. */
  readonly keepNaN?: boolean;
}

/**
 * Path of the bundle's ONNX file, made if the cache has none. A file is trusted only with its seal (its size and
 * SHA-256, written after it); a damaged one is made again. Several processes may do this at once.
 */
export async function compileBundle(bundle: ModelBundle, options: CompileOptions = {}): Promise<string> {
  const folder = options.cacheFolder ?? defaultCacheFolder();
  const { layers = [], probabilities = false, scores = false, half = false, keepNaN = false, tta } = options;
  const further = [
    ...(probabilities ? ['probabilities'] : []),
    ...(scores ? ['scores'] : []),
    ...(tta === undefined ? [] : [tta]),
    ...(half ? ['half'] : []),
    ...(keepNaN ? ['keepNaN'] : []),
  ];
  const key = createHash('sha256').update(JSON.stringify([EMIT_VERSION, bundle.contentHash, layers, ...further]));
  const path = join(folder, `${key.digest('hex').slice(0, 32)}.onnx`);
  if (await isSealed(path)) {
    await utimes(path, new Date(), new Date()).catch(() => {});
    return path;
  }
  try {
    await makeFolder(folder).catch(cause => Promise.reject(uncompilable(folder, cause)));
    await (bundle.network.kind === 'smp'
      ? compileSmp(bundle, bundle.network, { layers, probabilities, scores, half, keepNaN, tta }, path)
      : writeSealed(path, compileReady(bundle, bundle.network, { layers, probabilities, scores, half, tta })));
    await forgetOldest(folder).catch(() => {});
    return path;
  } catch (error) {
    if (error instanceof StromaflowError) throw error;
    throw uncompilable(folder, error);
  }
}

/** What a file is compiled to give, all of it said. */
type Compiled = Required<Omit<CompileOptions, 'cacheFolder' | 'tta'>> & Pick<CompileOptions, 'tta'>;

async function compileSmp(bundle: ModelBundle, network: SmpNetwork, outputs: Compiled, path: string) {
  const { quantisation } = network;
  if (quantisation) checkQuantised(bundle, outputs);
  const source = await openWeights(network);
  try {
    const measured = [PORTS.ranges, PORTS.moments].filter(port => outputs.layers.includes(port));
    const layers = outputs.layers.filter(name => !measured.some(port => port === name));
    const graph = simplify(graphOf(network), layers);
    const { name, input } = bundle;
    const decision = decisionOf(bundle.scores, bundle);
    const options = { name, input, decision, ...outputs, layers, measured, quantisation };
    await writeSealed(path, encodeModel(emitOnnx(graph, source, options)));
  } finally {
    await source.close();
  }
}

function checkQuantised({ path }: ModelBundle, { layers, half }: Pick<CompileOptions, 'layers' | 'half'>): void {
  const unsupported = (what: string, fix: string) =>
    new StromaflowError('MODEL_UNSUPPORTED', `${path} is quantised: ${what}`, { fix });
  if (half) throw unsupported('it computes in int8, not in float16', 'leave half precision off');
  if (layers?.length)
    throw unsupported('its layers cannot be looked at', 'take the bundle it was made of, whose layers these are');
}

function compileReady(
  bundle: ModelBundle,
  { ready }: OnnxNetwork,
  { layers: [layer], probabilities, scores, half, tta }: Omit<Compiled, 'keepNaN'>,
): AsyncGenerator<Uint8Array> {
  if (layer !== undefined)
    throw new StromaflowError(
      'MODEL_UNSUPPORTED',
      `${ready.path}: layer ${layer} of a ready graph cannot be looked at`,
    );
  if (half)
    throw new StromaflowError('MODEL_UNSUPPORTED', `${ready.path}: a ready graph computes as it was exported`, {
      fix: 'leave half precision off, or export the model in float16 arithmetic with float32 input and output',
    });
  const { input, outputs: classes } = bundle;
  const views = viewsOf(tta).length;
  if (ready.fixedBatch !== null && ready.fixedBatch % views !== 0)
    throw new StromaflowError(
      'MODEL_UNSUPPORTED',
      `${ready.path} takes batches of ${ready.fixedBatch} only, and --tta ${tta} makes ${views} views of each patch`,
      { fix: `leave --tta off, or export the model with a dynamic batch or one of ${views}` },
    );
  const extras = { probabilities, scores, ...(tta !== undefined && { tta }) };
  return wrapModel(ready, { input, classes, decision: decisionOf(bundle.scores, bundle), ...extras });
}

async function writeSealed(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(temporary, 'wx');
  try {
    try {
      for await (const piece of pieces) {
        hash.update(piece);
        size += piece.length;
        await file.writeFile(piece);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await writeFile(`${temporary}.seal`, seal(size, hash.digest('hex')));
  await rename(`${temporary}.seal`, `${path}.seal`);
}

/** Compiled models that are kept; the one used longest ago goes first. */
const KEPT = 16;
const DAY_MS = 86_400_000;

/** Also takes away what a writer that was killed left behind. */
async function forgetOldest(folder: string): Promise<void> {
  const found = await Promise.all(
    (await readdir(folder)).map(async name => {
      const path = join(folder, name);
      return { name, path, at: (await stat(path).catch(() => null))?.mtimeMs ?? 0 };
    }),
  );
  const models = found.filter(({ name }) => /^[0-9a-f]{32}\.onnx$/.test(name)).sort((a, b) => b.at - a.at);
  const halfWritten = found.filter(({ name }) => /^[0-9a-f]{32}\.onnx\.[0-9a-f-]{36}/.test(name));
  const abandoned = halfWritten.filter(({ at }) => Date.now() - at > DAY_MS);
  for (const { path } of models.slice(KEPT)) for (const file of [`${path}.seal`, path]) await rm(file, { force: true });
  for (const { path } of abandoned) await rm(path, { force: true });
}

async function isSealed(path: string): Promise<boolean> {
  try {
    const stated = await readFile(`${path}.seal`, 'utf8');
    const { size } = await stat(path);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    return stated === seal(size, hash.digest('hex'));
  } catch {
    return false;
  }
}

const seal = (size: number, digest: string) => `${size} ${digest}\n`;
