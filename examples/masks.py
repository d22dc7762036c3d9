# The masks of a slide out of the stream, and its stroma, by nats-py:  python examples/masks.py <slide> [nats://127.0.0.1:4222]
import asyncio, sys
import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

async def main(slide, server="nats://127.0.0.1:4222"):
    nc = await nats.connect(server)
    every = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    subject = f"stroma.v1.*.*.mask.{slide}.>"
    sub = await nc.jetstream().subscribe(subject, stream="stroma_v1_masks", ordered_consumer=True, config=every)
    stroma = valid = masks = 0
    pending = 1
    while pending > 0:
        msg = await sub.next_msg(timeout=30)  # msg.data is a 1-bit PNG
        pending = msg.metadata.num_pending
        masks += 1
        stroma += int(msg.headers["ce-stromapixels"])
        valid += int(msg.headers["ce-validpixels"])
    print(f"{masks} masks, stroma {stroma / max(1, valid):.1%} of their pixels")
    await nc.close()

asyncio.run(main(*sys.argv[1:]))
