import { spawn } from 'node:child_process';
import { requireBinary } from './require-binary.js';

/** Runs Prometheus' own checker; its standard error, which is empty when it has nothing to say. Throws when it fails. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = spawn(requireBinary('promtool', 'apt-get install prometheus'), args, { stdio: 'pipe' });
  const output = { out: '', err: '' };
  child.stdout.on('data', (text: Buffer) => {
    output.out += text;
  });
  child.stderr.on('data', (text: Buffer) => {
    output.err += text;
  });
  const code = new Promise(resolve => child.on('close', resolve));
  child.stdin.end(input);
  if ((await code) !== 0) throw new Error(`promtool ${args.join(' ')}\n${output.out}${output.err}`);
  return output.err;
}
