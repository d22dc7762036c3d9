import { it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { eventSchemas } from '#src/event/schemas/index.js';
import { expectGenerated, markdownTable } from '../support/generated-docs.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from './samples.js';

it('docs/events.md shows real events and every header of a mask', async () => {
  const events = createSampleEvents();
  const input = maskInput();
  const bounds = { x: 0, y: 16, width: 640, height: 340 };
  const record = { ...input.record, outsidePixels: 40, missingPixels: 64, intersection: 900, union: 1100 };
  const mask = events.mask({ ...input, plan: { ...input.plan, bounds }, record });
  const example = (event: BusEvent): string => {
    const payload: unknown = JSON.parse(new TextDecoder().decode(event.data));
    return `\`\`\`json\n${JSON.stringify(payload, null, 2)}\n\`\`\``;
  };
  await expectGenerated('events.md', {
    'mask-headers': markdownTable(
      ['header', 'example', 'what'],
      Object.entries(eventSchemas.maskHeaders.properties ?? {}).map(([name, { description }]) => [
        `\`ce-${name}\``,
        `\`${mask.extensions[name]}\``,
        description ?? '',
      ]),
    ),
    'example-aggregate': example(events.aggregate(aggregate, 'r')),
    'example-opened': example(events.slide('opened', slidePayloads.opened)),
    'example-completed': example(events.slide('completed', slidePayloads.completed)),
    'example-dlq': example(events.dlq(deadLetter)),
  });
});
