// An engine's thread that fails on demand. A patch's first byte says how: 0 well; 1 ends the thread; 2 fails softly;
// 3 throws; 10 + n ends the thread n times, then is well. Second byte n > 0: batches larger than n run out of memory.
// Third byte: what its mask is filled with. The last slot counts starts in byte 0; byte 1 makes that many starts fail.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '#src/arena.js';

const arena = new Arena(workerData.arena.shape, workerData.arena.shared);
const control = arena.slot(arena.shape.slots - 1);
Atomics.add(control, 0, 1);

const failure = (id, message) =>
  parentPort.postMessage({ type: 'failed', id, error: { code: 'ENGINE_FAILED', message, fix: '' } });

function segment({ id, slots }) {
  const patches = slots.map(slot => arena.slot(slot));
  if (patches.some(([, limit]) => limit > 0 && slots.length > limit))
    return failure(id, 'Failed to allocate memory for requested buffer of size 9');
  for (const patch of patches) {
    const [fault] = patch;
    if (fault > 10) patch[0] -= 1;
    if (fault === 1 || fault > 10) process.exit(3);
    if (fault === 2) return failure(id, 'non-zero status code returned while running Conv node');
    if (fault === 3) throw new Error('thrown outside');
  }
  const bits = patches.map(patch => new Uint8Array(4).fill(patch[2]));
  parentPort.postMessage({
    type: 'masks',
    id,
    bits,
    counts: Int32Array.from(patches, patch => patch[2]),
    notFinite: [],
    seconds: 0.5,
  });
}

if (control[1] > 0) {
  control[1] -= 1;
  parentPort.postMessage({ type: 'unusable', error: { code: 'ENGINE_UNAVAILABLE', message: 'no device', fix: '' } });
} else {
  parentPort.on('message', request => (request.type === 'close' ? process.exit(0) : segment(request)));
  parentPort.postMessage({ type: 'ready', name: 'faulty', version: '1', device: 'none', loadSeconds: 0 });
}
