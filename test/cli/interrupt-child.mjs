import { writeSync } from 'node:fs';
import Module from 'node:module';
import { Worker } from 'node:worker_threads';

// node interrupt-child.mjs command|outside [status] [--no-koffi]: a program one of whose threads is in native code for minutes.
const { interruptible, interruptibleOutside } = await import('#src/cli/interrupt.js');
const [mode, status, ...flags] = process.argv.slice(2);
const say = text => writeSync(1, `${text}\n`);

if (flags.includes('--no-koffi')) {
  const load = Module._load;
  Module._load = (name, ...rest) => {
    if (name === 'koffi') throw new Error('not installed');
    return load(name, ...rest);
  };
}
if (mode === 'command') {
  const { signal } = interruptible(name => say(`heard ${name}, aborted ${signal.aborted}`));
  signal.addEventListener('abort', () => say('aborted'));
} else interruptibleOutside();
if (status) process.exitCode = Number(status);
process.on('exit', () => say('let go'));

const busy = `
  require('node:worker_threads').parentPort.postMessage('ready');
  require('node:crypto').pbkdf2Sync('a', 'b', 2_000_000_000, 32, 'sha512');`;
new Worker(busy, { eval: true }).on('message', say);
