// Tells another program over HTTP when a slide is done, once:
//
//     node examples/webhook.mjs https://lis.example/hooks/stroma [--nats nats://127.0.0.1:4222] [--durable lis]
//
// What was delivered is known to the server under the name --durable: after a restart this goes on where it stopped. A request that fails is
// tried five times, then said. The Idempotency-Key is the event's id: should it come twice after a crash, the other side can tell.
import { parseArgs } from 'node:util';
import { connect } from 'stromaflow';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nats: { type: 'string', default: 'nats://127.0.0.1:4222' },
    durable: { type: 'string', default: 'webhook' },
  },
});
const [url] = positionals;
if (!url) throw new Error('give the address to post to');

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stop.abort());
const client = await connect({ url: values.nats });
const onGivenUp = (error, event) => process.stderr.write(`${event?.id}: given up: ${error.message}\n`);
await client.handleSlides(
  { durable: values.durable, signal: stop.signal, onGivenUp },
  async ({ id, state, payload }) => {
    if (state !== 'completed' && state !== 'failed' && state !== 'incomplete') return;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify({ state, ...payload }),
    });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    process.stdout.write(`${payload.slide} ${state}\n`);
  },
);
await client.close();
