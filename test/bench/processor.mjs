import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second, in which Linux counts processor time for others. */
const TICKS = 100;

/** Processor seconds of this process and of those that it started and that still run: an engine's is one. */
export function processorSeconds() {
  const { user, system } = process.cpuUsage();
  const ticks = children().map(pid => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return +fields[11] + +fields[12];
  });
  return (user + system) / 1e6 + ticks.reduce((sum, each) => sum + each, 0) / TICKS;
}

/** Peak memory of a process in bytes. Linux hands a parent's ru_maxrss on to its children; VmHWM starts anew with the program. */
export const peakOf = pid => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

/** Their peaks together. */
export const peakBytes = () => ['self', ...children()].map(peakOf).reduce((sum, bytes) => sum + bytes, 0);

function children() {
  const tasks = readdirSync('/proc/self/task');
  return tasks.flatMap(task =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean),
  );
}
