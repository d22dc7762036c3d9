import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const MAIN = 'dist/src/cli/main.js';
const shell = (line: string) => promisify(execFile)('bash', ['-c', line]);

describe('a command whose reader ends first', () => {
  it('ends without a word', async () => {
    const { stdout, stderr } = await shell(`node ${MAIN} config | head -1; node ${MAIN} config --json | true`);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
  });

  it('finishes what is under way, and goes on from there when it is started again', async () => {
    const out = await emptyFolder();
    const args = ['segment', SLIDE, '--out', out, '--engine', 'null', '--json', '--batch', '1'];
    const child = spawn('node', [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text;
    });
    child.stdout.destroy();
    const [status, signal] = await once(child, 'exit');
    expect([0, 130]).toContain(status);
    expect(signal).toBeNull();
    expect(stderr).not.toMatch(/EPIPE|at .*\.js/);
    const again = await startCli(args).finished;
    expect(again.status).toBe(0);
    expect(again.stdout).toMatch(/"state":"(completed|done-before)"/);
  });

  it('says why when its output cannot be written', async () => {
    const failure = await shell(`node ${MAIN} config --json > /dev/full`).catch(error => error);
    expect(failure).toMatchObject({
      code: 1,
      stderr: 'stromaflow: standard output cannot be written (ENOSPC: no space left on device, write)\n',
    });
  });
});
