// Another process that writes a slide's outputs over and over until it is killed, for output.test.ts: takes the slide
// and its masks on its input and tells the index of every patch that was acknowledged.
import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { createOverview } from '../../dist/src/read/overview.js';
import { openSlideOutput } from '../../dist/src/store/output.js';

const { info, plan, patches } = JSON.parse(await text(process.stdin));
const overview = createOverview(plan);
const output = await openSlideOutput({ folder: process.argv[2], slide: info, plan, overview, fresh: true });
for (;;) {
  for (const [index, { ref, record, bits }] of patches.entries()) {
    const mask = bits && { side: plan.core, bits: Buffer.from(bits, 'base64'), stromaPixels: record.stromaPixels };
    await output.patch(ref, record, mask);
    writeSync(1, `${index}\n`);
  }
}
