import { toWire } from '../errors.js';
import { loadModel } from '../model/model.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import { trialSide } from '../model/sides.js';
import type { BackendOptions } from './backend.js';
import { createBackend } from './backends.js';
import { extremeImages } from './extreme-images.js';
import { PROBE_SIDE, type ProbeReply, type ProbeRequest } from './probe-protocol.js';
import { openWebGpu } from './tfjs-device.js';

/** Whole patches are timed where both of them take less than this. */
const PATIENCE_SECONDS = 6;
/** Extreme pictures are tried for so long; a driver in software would spend the caller's patience on them. */
const EXTREMES_SECONDS = 3;

/** The other side of a probe: tries one engine and says how it went. */
async function run({ backend: given, full = false }: ProbeRequest): Promise<ProbeReply> {
  const { side, patchSize, members } = await sizes(given);
  const defaults = {
    modelVersion: null,
    cacheFolder: defaultCacheFolder(),
    patchSize: side,
    batch: 1,
    device: 0,
    layers: [],
    nullDelay: 0,
  };
  const startedAt = performance.now();
  const backend = await createBackend({ ...defaults, ...given } as BackendOptions);
  const pixels = new Uint8Array(side * side * 3).fill(180);
  await backend.run([pixels]);
  const warmAt = performance.now();
  await backend.run([pixels]);
  const patchSeconds = (performance.now() - warmAt) / 1000;
  const notFinite: string[] = [];
  for (const [picture, { pixels }] of extremeImages(side)) {
    if (performance.now() - warmAt > EXTREMES_SECONDS * 1000) break;
    if ((await backend.run([pixels])).notFinite.length > 0) notFinite.push(picture);
  }
  const { name, version, device } = backend;
  const ran = {
    type: 'ran',
    version: `${name} ${version}`,
    device,
    loadSeconds: (warmAt - startedAt) / 1000,
    patchSeconds,
    patchSide: side,
    notFinite,
  } as const;
  // What follows looks at one bundle.
  if (!full || members > 1 || side >= patchSize || ran.patchSeconds * 2 * (patchSize / side) ** 2 > PATIENCE_SECONDS)
    return ran;
  // The first of a size is for the kernels that have to be made ready.
  const whole = new Uint8Array(patchSize * patchSize * 3).fill(180);
  await backend.evaluate(whole, patchSize, patchSize);
  const readyAt = performance.now();
  await backend.evaluate(whole, patchSize, patchSize);
  return { ...ran, patchSeconds: (performance.now() - readyAt) / 1000, patchSide: patchSize };
}

/** The side to try the engine at, which a ready graph may fix, and that of the model's patches. */
async function sizes({ engine, model }: Partial<BackendOptions>) {
  if (engine === 'null' || model === undefined) return { side: PROBE_SIDE, patchSize: PROBE_SIDE, members: 1 };
  const { members, patchSize } = await loadModel(model);
  const side = Math.max(...members.map(member => trialSide(member, PROBE_SIDE)));
  return { side, patchSize, members: members.length };
}

const answer = async (request: ProbeRequest): Promise<ProbeReply> =>
  request.adapter ? { type: 'adapter', adapter: (await openWebGpu()).adapter } : run(request);

process.once('message', (request: ProbeRequest) => {
  answer(request)
    .catch((error: unknown): ProbeReply => ({ type: 'failed', error: toWire(error, 'ENGINE_UNAVAILABLE') }))
    .then(reply => process.send?.(reply));
});
