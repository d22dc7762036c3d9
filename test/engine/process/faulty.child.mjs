// An engine's process that fails on demand. The first byte of a patch says how: 0 well; 1 ends by SIGSEGV, 2 by SIGKILL,
// 3 exits with status 7, 4 never answers, 5 answers that the run failed, 6 gives what nobody asked for.
import { readAt, writeAt } from '#src/process/shared-file.js';

process.on('disconnect', () => process.exit());
const fault = () => {
  const byte = new Uint8Array(1);
  readAt(4, byte, 0);
  return byte[0];
};

const faults = {
  1: () => process.kill(process.pid, 'SIGSEGV'),
  2: () => process.kill(process.pid, 'SIGKILL'),
  3: () => process.exit(7),
  4: () => undefined,
  5: () => process.send({ type: 'failed', error: { code: 'ENGINE_FAILED', message: 'non-zero status', fix: '' } }),
  6: () => process.send({ type: 'layers', layers: [] }),
};

process.on('message', ({ type, options, count }) => {
  if (type === 'start') {
    if (options.model === 'bad')
      process.send({ type: 'failed', error: { code: 'MODEL_INVALID', message: 'no model', fix: 'get one' } });
    else if (options.model === 'crash') process.kill(process.pid, 'SIGABRT');
    else process.send({ type: 'ready', name: 'faulty', version: '1', device: 'none' });
  } else if (type === 'run') {
    const failing = faults[fault()];
    if (failing) return failing();
    writeAt(4, new Uint8Array(count * 32 * 32).fill(1), 2 * 32 * 32 * 3);
    process.send({ type: 'ran', counts: new Int32Array(count).fill(32 * 32), probabilities: false });
  } else if (type === 'close') process.send({ type: 'closed' });
});
