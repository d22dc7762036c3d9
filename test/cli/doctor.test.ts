import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { useSoftwareGpu } from '../support/software-gpu.js';

interface Told {
  readonly what: string;
  readonly state: string;
  readonly detail: string;
  readonly facts?: Record<string, unknown>;
}

const model = await makeBundle({ config: SMALL });

async function doctor(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const run = await runCli(['doctor', '--json', '--out', await emptyFolder(), '--model', model, ...args], environment);
  const { findings } = JSON.parse(run.stdout) as { findings: Told[] };
  return { status: run.status, findings, of: (what: string) => findings.find(finding => finding.what === what) };
}

describe('stromaflow doctor', () => {
  it('tells of the machine, the model given, the libraries, the engine asked for, NATS and the output folder', async () => {
    const { status, findings, of } = await doctor(['--engine', 'cpu', '--threads', '1']);
    expect(status).toBe(0);
    expect(findings.map(({ what }) => what).slice(0, 6)).toEqual([
      'machine',
      'model',
      'sharp',
      'OpenSlide',
      'engine cpu',
      'NATS',
    ]);
    expect(of('model')).toMatchObject({ state: 'good', facts: { name: 'formula', patchSize: 64 } });
    expect(of('engine cpu')).toMatchObject({
      state: 'good',
      detail: expect.stringMatching(
        /^onnxruntime \S+ on .+, 1 threads; loaded and warm in [\d.]+ s, then [\d.]+ ms a patch of 64 px$/,
      ),
      facts: {
        found: true,
        threads: 1,
        patchSide: 64,
        loadSeconds: expect.any(Number),
        deviceFacts: { memoryTotal: expect.any(Number) },
      },
    });
    expect(of('output')).toMatchObject({ state: 'good', facts: { free: expect.any(Number) } });
  });

  it('fails for an engine that was asked for and does not run, a model that does not load, an unknown engine', async () => {
    const absent = await doctor(['--engine', 'tfjs-node-gpu']);
    expect(absent.status).toBe(1);
    expect(absent.of('engine tfjs-node-gpu')).toMatchObject({
      state: 'bad',
      detail: expect.stringContaining('to have it: npm i'),
    });
    const none = await doctor(['--model', '/nowhere', '--engine', 'cpu']);
    expect(none.status).toBe(1);
    expect(none.of('model')).toMatchObject({ state: 'bad', facts: { code: 'MODEL_NOT_FOUND' } });
    expect(none.of('engine cpu')).toMatchObject({ state: 'good' });
    const unknown = await runCli(['doctor', '--engine', 'quantum', '--out', await emptyFolder()]);
    expect(unknown.stderr).toMatch(/no engine quantum \[USAGE\]/);
  });

  it('tries an NVIDIA engine on every device, and passes on what a broken driver says', async () => {
    const folder = await emptyFolder();
    await writeFile(join(folder, 'nvidia-smi'), '#!/bin/sh\necho "Driver/library version mismatch"; exit 18\n');
    await chmod(join(folder, 'nvidia-smi'), 0o755);
    const { findings } = await doctor(['--engine', 'cuda', '--devices', '0,3'], {
      PATH: `${folder}:${process.env['PATH']}`,
    });
    const cuda = findings.filter(({ what }) => what.startsWith('engine cuda'));
    expect(cuda).toHaveLength(2);
    for (const { detail } of cuda) expect(detail).toContain('nvidia-smi failed: Driver/library version mismatch');
  });

  it('names a GPU that only computes in software', async () => {
    useSoftwareGpu();
    for (const engine of ['webgpu', 'tfjs-webgpu']) {
      const { status, of } = await doctor(['--engine', engine]);
      expect(status).toBe(0);
      expect(of(`engine ${engine}`)?.detail).toMatch(/ on .*SwiftShader.*; loaded and warm/);
    }
    // A GPU in software takes minutes on a busy machine.
  }, 900_000);

  it('is readable in 100 columns', async () => {
    const { stdout } = await runCli(['doctor', '--engine', 'cpu', '--model', model, '--out', await emptyFolder()]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(7);
    for (const line of lines) expect(line).toMatch(/^([✓–✗] \S| {23}\S)/);
  });
});
