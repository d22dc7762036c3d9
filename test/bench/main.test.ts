import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const STARTER = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));
const MAIN = fileURLToPath(new URL('main.mjs', import.meta.url));

const bench = (...args: string[]) => run(process.execPath, [MAIN, ...args]);

async function run(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { status: child.exitCode, stdout, stderr };
}

test('every benchmark loads, and one that is not there is named', async () => {
  const { status, stderr } = await bench('nothing');
  expect(stderr).toMatch(/^there is no benchmark nothing: ratios, .*norms/);
  expect(status).toBe(2);
});

test('norms measures an engine both ways, and says why another does not run', async () => {
  const { status, stdout } = await bench('norms', '--engines', 'tfjs-cpu,tfjs-node-gpu', '--rounds', '2', '--json');
  expect(status).toBe(0);
  const [ran, absent] = JSON.parse(stdout);
  expect(ran).toMatchObject({ engine: 'tfjs-cpu', side: 64, rounds: 2, library: expect.stringMatching(/^tfjs /) });
  for (const { patch, frozen, ratio, lower, upper } of [ran.processor, ran.wall]) {
    expect(patch).toBeGreaterThan(0);
    expect(frozen).toBeGreaterThan(0);
    expect(lower).toBeLessThanOrEqual(ratio);
    expect(upper).toBeGreaterThanOrEqual(ratio);
  }
  expect(absent.notRun ?? absent.library).toMatch(/./);
}, 120_000);

test('gpu holds engines against the CPU, and says what is not here or had no time', async () => {
  const options = ['--engines', 'cuda,tfjs-wasm', '--batches', '1,2', '--side', '64', '--model', STARTER];
  const { status, stdout, stderr } = await bench('gpu', ...options, '--seconds', '600', '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { measured, notRun, endToEnd, leftOut } = JSON.parse(stdout);
  const ran = measured.map(({ engine, batch }: { engine: string; batch: number }) => `${engine} ${batch}`);
  expect([...ran, ...leftOut.map(() => 'left out')]).toEqual(
    expect.arrayContaining(['cpu 1', expect.stringMatching(/tfjs-wasm 1|left out/)]),
  );
  for (const { engine, patchesPerSecond, parity } of measured) {
    expect(patchesPerSecond).toBeGreaterThan(0);
    if (engine === 'cpu') continue;
    expect(parity.largest).toBeLessThan(1e-4);
    expect(parity).toMatchObject({ flipped: 0, notFinite: 0 });
  }
  expect(notRun.cuda ?? 'it ran').toMatch(/./);
  expect(endToEnd.ratio ?? endToEnd.failed).toBeTruthy();
});

test('what a machine with a GPU needs travels in parts, and measures there once all have come', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-'));
  try {
    const [packed, libraries] = [join(folder, 'packed'), join(folder, 'libraries')];
    await writeFile(join(folder, 'libcudart.so.13'), 'a library');
    expect((await bench('gpu', '--pack', folder)).stderr).toContain('is not empty: name a folder that is new');
    expect((await bench('gpu', '--pack', libraries, '--libraries', MAIN)).stderr).toContain('ENOTDIR');

    expect(await bench('gpu', '--pack', packed, '--libraries', folder, '--json')).toMatchObject({
      stderr: '',
      status: 0,
    });
    const parts = (await readdir(packed)).filter(name => name.startsWith('part-')).sort();
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect((await stat(join(packed, part))).size).toBeLessThanOrEqual(64 * 2 ** 20);

    const script = join(packed, 'measure-gpu.sh');
    const options = ['--seconds', '120', '--engines', 'cuda', '--batches', '1', '--side', '64', '--json'];
    const second = join(packed, parts[1]!);
    await rename(second, join(folder, 'late'));
    const early = await run('bash', [script, ...options]);
    expect([early.status, early.stderr]).toEqual([3, `parts are still to come: ${parts[1]}\n`]);
    await writeFile(second, 'damaged');
    const damaged = await run('bash', [script, ...options]);
    expect([damaged.status, damaged.stdout]).toEqual([1, `${parts[1]}: FAILED\n`]);
    await rename(join(folder, 'late'), second);
    const whole = await run('bash', [script, ...options]);
    expect(whole).toMatchObject({ stderr: '', status: 0 });
    const { measured, notRun } = JSON.parse(whole.stdout);
    expect(measured[0]).toMatchObject({ engine: 'cpu', patchesPerSecond: expect.any(Number) });
    expect(notRun.cuda ?? 'it ran').toMatch(/./);
    expect(await readFile(join(packed, 'tree/libraries/libcudart.so.13'), 'utf8')).toBe('a library');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
