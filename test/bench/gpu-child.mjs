// A model on an engine with batches of one size: `node gpu-child.mjs <JSON>`; prints one line of JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { createBackend } from '#src/engine/backends.js';
import { median } from './support.mjs';

const {
  engine,
  half,
  model,
  side,
  batch,
  threads,
  seconds,
  patches: path,
  reference,
  cacheFolder,
} = JSON.parse(process.argv[2]);
const bytes = side * side * 3;
const all = new Uint8Array(readFileSync(path));
const patches = Array.from({ length: all.length / bytes }, (_, i) => all.subarray(i * bytes, (i + 1) * bytes));

const began = performance.now();
const backend = await createBackend({
  ...{ engine, model, half, batch, threads, cacheFolder, patchSize: side, device: 0, layers: [], nullDelay: 0 },
  ...{ isolation: 'thread', modelVersion: null, scores: true },
});
const some = from => Array.from({ length: batch }, (_, i) => patches[(from + i) % patches.length]);
await backend.run(some(0));
const loadSeconds = (performance.now() - began) / 1000;

const scores = new Float32Array(patches.length * side * side);
let notFinite = 0;
for (let at = 0; at < patches.length; at += batch) {
  const found = await backend.run(some(at));
  const whole = Math.min(batch, patches.length - at) * side * side;
  scores.set(found.scores.subarray(0, whole), at * side * side);
  notFinite += found.notFinite.length;
}

const taken = [];
const until = performance.now() + seconds * 1000;
while (taken.length < 3 || performance.now() < until) {
  const from = performance.now();
  await backend.run(some(taken.length * batch));
  taken.push(performance.now() - from);
}
const { name, version, device } = backend;
await backend.close();

const batchMs = median(taken);
const result = {
  name,
  version,
  device,
  loadSeconds,
  batchMs,
  patchesPerSecond: (1000 * batch) / batchMs,
  runs: taken.length,
};
if (reference.write) writeFileSync(reference.path, scores);
else result.parity = { ...difference(scores, new Float32Array(readFileSync(reference.path).buffer)), notFinite };
console.log(JSON.stringify(result));
process.exit(0);

/** Of probabilities, 0–1, and of the masks that a threshold of 0.5 makes of them. */
function difference(ours, theirs) {
  let largest = 0;
  let flipped = 0;
  for (let i = 0; i < ours.length; i++) {
    largest = Math.max(largest, Math.abs(ours[i] - theirs[i]));
    if (ours[i] > 0.5 !== theirs[i] > 0.5) flipped += 1;
  }
  return { largest, flipped: flipped / ours.length };
}
