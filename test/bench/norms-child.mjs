// A model on an engine: `node norms-child.mjs <engine> <side> <threads> <bundle> <patch or frozen>`; runs a patch for every line on standard
// input, and says what it took.
import { createInterface } from 'node:readline';
import { createBackend } from '#src/engine/backends.js';
import { defaultCacheFolder } from '#src/model/onnx/compile.js';
import { Random } from '#src/random.js';

const [engine, size, threads, model, norm] = process.argv.slice(2);
const side = Number(size);
const backend = await createBackend({
  ...{ engine, model, norm, patchSize: side, batch: 1, threads: Number(threads), device: 0, layers: [], nullDelay: 0 },
  ...{ isolation: 'thread', modelVersion: null, cacheFolder: defaultCacheFolder() },
});
const random = new Random(1);
const pixels = Uint8Array.from({ length: side * side * 3 }, () => random.next() & 255);
// The first runs prepare kernels and are not counted.
for (let run = 0; run < 2; run++) await backend.run([pixels]);
const { name, version, device } = backend;
console.log(JSON.stringify({ name, version, device }));
for await (const _ of createInterface({ input: process.stdin })) {
  const clock = performance.now();
  const before = process.cpuUsage();
  await backend.run([pixels]);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ wall: performance.now() - clock, processor: (user + system) / 1000 }));
}
await backend.close();
process.exit(0);
