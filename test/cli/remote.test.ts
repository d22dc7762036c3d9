import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scenery, writeTiff } from '../slide/tiff-writer.js';
import { runCli } from '../support/cli.js';
import { emptyFolder } from '../support/paths.js';
import { type RangeServer, startRangeServer } from '../support/range-server.js';

let server: RangeServer;
beforeEach(async () => {
  server = await startRangeServer(
    writeTiff([{ picture: scenery(256, 256), tile: [64, 64], compression: 'deflate', resolution: 20_000 }]),
  );
});
afterEach(() => server.close());

describe('stromaflow with addresses', () => {
  it('segments a slide at one, says how much was read, and shows no secret even with --verbose', async () => {
    const out = await emptyFolder();
    const address = `${server.url.replace('//', '//ann:5ecre7@')}/case.tif?X-Amz-Signature=5ecre7`;
    const args = ['segment', address, '--engine', 'null', '--out', out, '--keep-empty', '--patch-size', '64'];
    const { status, stdout, stderr } = await runCli([...args, '--verbose']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/read over HTTP: 0\.\d MB with \d+ requests\n/);
    const summary = JSON.parse(await readFile(`${out}/case/summary.json`, 'utf8'));
    expect(summary.source.http.requests).toBe(server.asked.length);
    server.trouble = () => ({ status: 403 });
    const refused = await runCli([...args, '--fresh', '--verbose']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /case\.tif: the server refuses it \(403\) \[SLIDE_REMOTE\] its signature or password/,
    );
    expect(stdout + refused.stdout + refused.stderr).not.toContain('5ecre7');
  });

  it('refuses them where a folder is wanted, without their secrets', async () => {
    const address = `${server.url}/case.tif?X-Amz-Signature=5ecre7`;
    for (const command of ['watch', 'replay']) {
      const { status, stderr } = await runCli([command, address]);
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/takes no address.*\[USAGE\]/) });
      expect(stderr).not.toContain('5ecre7');
    }
    const { stdout } = await runCli(['config', '--source', `${address}&id=1`]);
    expect(stdout).toContain(`${server.url}/case.tif `);
    expect(stdout).not.toContain('5ecre7');
    expect(server.asked).toEqual([]);
  });
});
