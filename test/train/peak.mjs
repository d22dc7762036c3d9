// Preloaded into a process by `--import`: on exit writes what memory it held, sampled while it ran, to the file $PEAK.
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const samples = [];
  const sample = () => samples.push({ at: performance.now(), ...process.memoryUsage() });
  setInterval(sample, 50).unref();
  process.on('exit', () => {
    sample();
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    writeFileSync(process.env.PEAK, JSON.stringify({ peak, samples }));
  });
}
