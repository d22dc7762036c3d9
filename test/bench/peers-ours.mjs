// Our reading for `npm run bench -- peers`, in a process of its own; answers as peers.py does.
import { createInterface } from 'node:readline';
import { Arena } from '#src/arena.js';
import { patchRef, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { openSlide } from '#src/slide/open.js';
import { VERSION } from '#src/version.js';

const [path, patch, threads] = process.argv.slice(2);
const say = facts => console.log(JSON.stringify(facts));
const patchSize = +patch;
const arena = new Arena({ slots: +threads * 6, patchSize });
const pool = await ReaderPool.start({ threads: +threads, arena });

async function read() {
  const slide = await openSlide(path, { mpp: 0.499 });
  const plan = planPatches(slide.info, { patchSize, spacing: 0.499 });
  const handle = await pool.open(slide, plan, null);
  // Whole patches, as the others are asked for.
  const [cols, rows] = [Math.floor(plan.width / patchSize), Math.floor(plan.height / patchSize)];
  const refs = Array.from({ length: cols * rows }, (_, i) => patchRef(plan, i % cols, Math.floor(i / cols))).values();
  const lane = async slot => {
    for (const ref of refs) await handle.read(ref, slot);
  };
  await Promise.all(Array.from({ length: arena.shape.slots }, (_, slot) => lane(slot)));
  await handle.close();
  return cols * rows * patchSize ** 2;
}

await read();
say({ version: VERSION });
for await (const _ of createInterface({ input: process.stdin })) {
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const pixels = await read();
  const { user, system } = process.cpuUsage(cpu);
  say({ cpu: (user + system) / 1e6, wall: (performance.now() - startedAt) / 1000, pixels });
}
await pool.close();
