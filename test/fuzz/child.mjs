// Executes inputs of one target in a process of its own, which may crash, hang or be killed.
// Arguments: target, file that holds the number of the input in work, folder to work in.

import childProcess from 'node:child_process';
import { openSync, writeFileSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, noteStray } from './execute.mjs';
import { loadSeeds, makeInput } from './input.mjs';
import { startMeter } from './meter.mjs';
import { targetNamed } from './targets/index.mjs';

/** OpenSlide's library is not ours to fuzz, and files it knows would reach it: its process says that it is not installed. */
const { fork } = childProcess;
const absent = fileURLToPath(new URL('no-openslide.mjs', import.meta.url));
childProcess.fork = (_, options) => fork(absent, options);
syncBuiltinESMExports();

const [name, progress, folder] = process.argv.slice(2);
const target = targetNamed(name);
const fd = openSync(progress, 'w');
const files = {
  folder,
  write: (file, bytes) => {
    const path = join(folder, file);
    writeFileSync(path, bytes);
    return path;
  },
};
const seeds = await loadSeeds(target);
await target.setUp?.(files);
// Modules, codecs and the compiler's first pass are no part of what an input takes.
for (const { bytes } of seeds) await execute(target, bytes, files);
startMeter();

const mark = Buffer.alloc(8);
for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, error => noteStray(error, target));

process.on('message', job => void (job.input ? single(Buffer.from(job.input)) : range(job)).catch(giveUp));
process.on('disconnect', () => process.exit());
process.send({ ready: true });

/** The fuzzer's own failure, not the reader's. */
function giveUp(error) {
  console.error(error);
  process.exit(70);
}

async function single(bytes) {
  writeSync(fd, mark.fill(0), 0, 8, 0);
  process.send({ single: await execute(target, bytes, files) });
}

async function range({ seed, from, to }) {
  const outcomes = {};
  for (let current = from; current < to; current++) {
    const { bytes } = makeInput(target, seeds, seed, current);
    mark.writeDoubleLE(current);
    writeSync(fd, mark, 0, 8, 0);
    const { outcome, fault } = await execute(target, bytes, files);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (fault) process.send({ index: current, fault });
    if (current % 64 === 0) process.send({ outcomes: { ...outcomes } });
  }
  process.send({ outcomes, done: true });
}
