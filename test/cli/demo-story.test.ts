import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DemoStory } from '#src/cli/demo-story.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { createSampleEvents, maskInput } from '../event/samples.js';
import { capture, type Written } from './capture.js';

let written: Written;
beforeEach(() => {
  written = capture();
});
afterEach(() => written.restore());

const mask = createSampleEvents().mask(maskInput());
const WAITS = 'waits half way for the first mask';

/** A story that is followed; `scan` gives tiles to it, and resolves when the scanner could write the next one. */
function told() {
  const bus = createMemoryBus();
  const over = new AbortController();
  const story = new DemoStory(written.terminal);
  const following = story.follow({ bus, config: { prefix: 'stroma.v1' } } as never, over.signal);
  const scan = async (tiles: number): Promise<void> => {
    for (let tile = 0; tile < tiles; tile++) await story.tile(over.signal);
  };
  return { bus, over, story, following, scan };
}

describe('the scanner of the demo', () => {
  it('waits half way for the first mask, so that a slow machine shows one before the slide is whole', async () => {
    const { bus, over, story, following, scan } = told();
    await scan(64);
    expect(written.lines.join('\n')).not.toContain(WAITS);
    let gone = false;
    const rest = scan(66).then(() => {
      gone = true;
    });
    while (!written.lines.join('\n').includes(WAITS)) await new Promise(setImmediate);
    expect([gone, story.status]).toEqual([false, 'scan 50 %  ']);
    await bus.publish(mask);
    await rest;
    story.scanned();
    expect(written.lines.join('\n')).toContain('the first mask is out, with 65 of 130 tiles scanned');
    expect(written.lines.join('\n')).toContain('done: 1 mask came while it wrote');
    over.abort();
    await following;
  });

  it('does not wait when there was one', async () => {
    const { bus, over, following, scan } = told();
    await bus.publish(mask);
    while (!written.lines.join('\n').includes('the first mask is out')) await new Promise(setImmediate);
    await scan(130);
    expect(written.lines.join('\n')).not.toContain(WAITS);
    over.abort();
    await following;
  });

  it('does not wait on when the demo is stopped', async () => {
    const { over, following, scan } = told();
    const scanned = scan(65);
    while (!written.lines.join('\n').includes(WAITS)) await new Promise(setImmediate);
    over.abort();
    await scanned;
    await following;
  });
});
