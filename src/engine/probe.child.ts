import { toWire, type WireError } from '../errors.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import type { BackendOptions } from './backend.js';
import { createBackend } from './backends.js';
import { PROBE_SIDE } from './probe.js';

/** The other side of a probe: tries one engine and says how it went. */
export type ProbeReply =
  | {
      readonly type: 'ran';
      readonly version: string;
      readonly device: string;
      readonly loadSeconds: number;
      readonly patchSeconds: number;
    }
  | { readonly type: 'failed'; readonly error: WireError };

async function run(given: Partial<BackendOptions>): Promise<ProbeReply> {
  const defaults = {
    modelVersion: null,
    cacheFolder: defaultCacheFolder(),
    patchSize: PROBE_SIDE,
    batch: 1,
    device: 0,
    layers: [],
    nullDelay: 0,
  };
  const startedAt = performance.now();
  const backend = await createBackend({ ...defaults, ...given } as BackendOptions);
  const pixels = new Uint8Array(PROBE_SIDE * PROBE_SIDE * 3).fill(180);
  await backend.run([pixels]);
  const warmAt = performance.now();
  await backend.run([pixels]);
  const { name, version, device } = backend;
  return {
    type: 'ran',
    version: `${name} ${version}`,
    device,
    loadSeconds: (warmAt - startedAt) / 1000,
    patchSeconds: (performance.now() - warmAt) / 1000,
  };
}

process.once('message', (given: Partial<BackendOptions>) => {
  run(given)
    .catch((error: unknown): ProbeReply => ({ type: 'failed', error: toWire(error, 'ENGINE_UNAVAILABLE') }))
    .then(reply => process.send?.(reply));
});
