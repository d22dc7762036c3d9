import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { SLIDE } from '../slide/fixture.js';
import { runCli, startCli } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'stromaflow-simulate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('stromaflow simulate-scan', () => {
  it('plays a slide into a folder and says what it left out', async () => {
    const run = await runCli(['simulate-scan', SLIDE, join(folder, 'a'), '--as', 'copy', '--rate', '0', '--drop', '2']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toBe(`${join(folder, 'a', 'CMU-1-Small-Region.svs')}: 128 tiles, 2 dropped\n`);
    const { source } = await openSlide(join(folder, 'a', 'CMU-1-Small-Region.svs'));
    const [{ byteCounts }] = (source as unknown as { levels: [{ byteCounts: Float64Array }] }).levels;
    expect(byteCounts.filter(count => count === 0)).toHaveLength(2);
  });

  it('prints one JSON line under --json', async () => {
    const args = ['--as', 'tile-folder', '--order', 'stripes', '--rate', '0', '--corrupt', '1', '--late-manifest'];
    const { stdout } = await runCli(['simulate-scan', SLIDE, join(folder, 'b'), ...args, '--json']);
    const scan = JSON.parse(stdout);
    expect(scan).toMatchObject({ path: join(folder, 'b', 'CMU-1-Small-Region'), tiles: 130, dropped: [] });
    expect(scan.corrupted).toHaveLength(1);
    expect(readdirSync(scan.path)).toHaveLength(132);
  });

  it('cuts DICOM levels into parts', async () => {
    const args = ['--as', 'dicom', '--order', 'columns', '--rate', '0', '--part-tiles', '50'];
    const run = await runCli(['simulate-scan', SLIDE, join(folder, 'e'), ...args]);
    const path = join(folder, 'e', 'CMU-1-Small-Region');
    expect(run).toMatchObject({ status: 0, stdout: `${path}: 130 tiles\n` });
    expect(readdirSync(path).sort()).toEqual([1, 2, 3].map(part => `level-0-part-${part}.dcm`));
    expect((await openSlide(path)).info.levels).toHaveLength(1);
  });

  it('refuses a way, an order or a rate that there is not', async () => {
    for (const [option, value] of [
      ['--as', 'teleport'],
      ['--order', 'spiral'],
      ['--rate', '-1'],
    ] as const) {
      const run = await runCli(['simulate-scan', SLIDE, join(folder, 'c'), option, value]);
      expect(run.status).toBe(2);
      expect(run.stderr).toContain(option);
    }
  });

  it('stops on Ctrl-C with 130 and leaves the scan as it was', async () => {
    const running = startCli(['simulate-scan', SLIDE, join(folder, 'd'), '--as', 'tile-folder', '--rate', '20']);
    const first = join(folder, 'd', 'CMU-1-Small-Region', 'X0Y0.jpg');
    while (!existsSync(first)) await new Promise(resolve => setTimeout(resolve, 20));
    running.process.kill('SIGINT');
    const { status, stdout } = await running.finished;
    expect(status).toBe(130);
    expect(stdout).toMatch(/stopped after \d+ tiles/);
    expect(readdirSync(join(folder, 'd', 'CMU-1-Small-Region'))).not.toContain('.done');
  });
});
