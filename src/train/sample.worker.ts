import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../errors.js';
import { type SampleData, type SampleReply, type SampleRequest, slotOf } from './sample-messages.js';
import { SampleReader } from './sample-reader.js';

/** A sample thread: answers one request after the other, with its own file handles and caches. */

const { setting, side, shared } = workerData as SampleData;
const port = parentPort!;
const reader = new SampleReader(setting);

async function answer({ id, sample, col, row, slot, change }: Exclude<SampleRequest, 'end'>): Promise<SampleReply> {
  try {
    if (slot === undefined) return { id, facts: await reader.look(sample, col, row) };
    const { image, labels } = slotOf(shared, side, slot);
    await reader.read(sample, col, row, change, image, labels);
    return { id };
  } catch (error) {
    return { id, error: toWire(error, 'SLIDE_UNREADABLE') };
  }
}

let last: Promise<void> = Promise.resolve();
port.on('message', (request: SampleRequest) => {
  last = last.then(async () => {
    if (request !== 'end') return port.postMessage(await answer(request));
    await reader.close();
    port.close();
  });
});
