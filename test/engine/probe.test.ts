import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeEngines } from '#src/engine/probe.js';
import { PROBE_SIDE } from '#src/engine/probe-protocol.js';
import { loadBundle } from '#src/model/bundle.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { useSoftwareGpu } from '../support/software-gpu.js';

let root: string;
let options: { model: string; cacheFolder: string; threads: number };
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'probe-'));
  options = {
    model: await makeBundle({ config: SMALL }, join(root, 'model')),
    cacheFolder: join(root, 'cache'),
    threads: 1,
  };
});
afterAll(() => rm(root, { recursive: true }));

test('what runs here is found, with version, device and seconds', async () => {
  const probes = await probeEngines({ ...options, engines: ['tfjs-cpu', 'cpu', 'tfjs-wasm'] });
  // In the order auto prefers them, whatever the order asked for.
  expect(probes.map(({ name }) => name)).toEqual(['cpu', 'tfjs-wasm', 'tfjs-cpu']);
  for (const { found, why, loadSeconds, patchSeconds } of probes) {
    expect(found, why).toBe(true);
    expect(loadSeconds).toBeGreaterThan(0);
    expect(patchSeconds).toBeGreaterThan(0);
  }
  expect(probes[0]).toMatchObject({ version: expect.stringMatching(/^onnxruntime \d/), device: 'cpu' });
  expect(probes[1]).toMatchObject({ version: 'tfjs 4.22.0', device: 'wasm' });
});

test('a ready graph is tried at the size it takes, and a whole patch only where that is asked for', async () => {
  const model = new URL('../golden/model_ready/sigmoid-batch2-opset17.onnx', import.meta.url).pathname;
  const { network } = await loadBundle(model);
  if (network.kind !== 'onnx') throw new Error('not a ready graph');
  const [fixed] = await probeEngines({ ...options, model, engines: ['cpu'] });
  expect(fixed).toMatchObject({ found: true, patchSide: network.ready.fixedSide ?? PROBE_SIDE });
  const large = await makeBundle({ config: SMALL, manifest: { patchSize: 128 } }, join(root, 'large'));
  const [small] = await probeEngines({ ...options, model: large, engines: ['cpu'] });
  expect(small).toMatchObject({ found: true, patchSide: PROBE_SIDE });
  const [whole] = await probeEngines({ ...options, model: large, engines: ['cpu'], full: true });
  expect(whole).toMatchObject({ found: true, patchSide: 128 });
});

describe('what does not run says why and what to install', () => {
  test('an NVIDIA engine without its device file is not even tried', async () => {
    if (existsSync('/dev/nvidiactl')) return;
    const probes = await probeEngines({ ...options, engines: ['cuda', 'tensorrt', 'tfjs-node-gpu'] });
    expect(probes).toHaveLength(3);
    for (const probe of probes)
      expect(probe).toMatchObject({
        found: false,
        why: expect.stringContaining('no NVIDIA GPU'),
        install: expect.stringContaining('CUDA'),
      });
  });

  test('a package that is absent', async () => {
    const [probe] = await probeEngines({ ...options, engines: ['tfjs-node'] });
    expect(probe).toMatchObject({
      found: false,
      why: expect.stringMatching(/tfjs-node/),
      install: 'npm i --ignore-scripts=false @tensorflow/tfjs-node@4.22.0, on Node 20 or 22',
    });
  });

  test('a model that cannot be loaded', async () => {
    const [probe] = await probeEngines({ ...options, model: join(root, 'none'), engines: ['cpu'] });
    expect(probe).toMatchObject({ found: false, why: expect.stringContaining('none does not exist') });
  });

  test('an engine that does not answer in time', async () => {
    const [probe] = await probeEngines({ ...options, engines: ['cpu'], timeoutSeconds: 0 });
    expect(probe).toMatchObject({ found: false, why: 'no answer within 0 s' });
  });
});

test('a software GPU is found under its name', async () => {
  useSoftwareGpu();
  const [probe] = await probeEngines({ ...options, engines: ['tfjs-webgpu'], timeoutSeconds: 280 });
  expect(probe).toMatchObject({ found: true, device: expect.stringContaining('SwiftShader') });
}, 300_000);

test('an aborted probe rejects', async () => {
  await expect(probeEngines({ ...options, engines: ['cpu'], signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
});
