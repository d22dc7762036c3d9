import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { toHeaders } from '#src/event/cloudevent-headers.js';
import { subjectPattern } from '#src/event/subjects.js';
import { buildAsyncApi } from './build-asyncapi.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from './samples.js';

interface Description {
  channels: Record<string, { address: string }>;
  components: {
    messages: Record<string, { contentType: string; headers: { required: string[]; properties: object } }>;
  };
}

const description = buildAsyncApi('1.0.0') as Description;
const events = createSampleEvents();

it('docs/asyncapi.yaml is what the schemas say (vitest -u writes it)', async () => {
  const path = fileURLToPath(new URL('../../docs/asyncapi.yaml', import.meta.url));
  const notice = '# Written from src/event/schemas by test/event/asyncapi.test.ts; do not edit.\n';
  await expect(notice + stringify(description, { aliasDuplicateObjects: false, lineWidth: 120 })).toMatchFileSnapshot(
    path,
  );
});

it.each([
  ['mask', events.mask(maskInput())],
  ['aggregate', events.aggregate(aggregate, 'r')],
  ['slide-opened', events.slide('opened', slidePayloads.opened)],
  ['slide-failed', events.slide('failed', slidePayloads.failed)],
  ['dlq-read', events.dlq(deadLetter)],
])('describes the subject and the headers of a real %s', (name, event) => {
  const address = description.channels[name]?.address ?? '';
  const pattern = new RegExp(`^${address.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[A-Za-z0-9_-]+')}$`);
  expect(event.subject).toMatch(pattern);
  const message = description.components.messages[name];
  expect(message?.contentType).toBe(event.contentType);
  const sent = toHeaders(event).map(([header]) => header);
  expect(Object.keys(message?.headers.properties ?? {})).toEqual(expect.arrayContaining(sent));
  expect(sent).toEqual(expect.arrayContaining(message?.headers.required ?? []));
});

it('has a channel for every kind of event', () => {
  const shapes = Object.values(description.channels).map(({ address }) => address.replace(/\{\w+\}/g, '*'));
  for (const kind of ['mask', 'aggregate'] as const) expect(shapes).toContain(subjectPattern(kind));
  expect(shapes).toHaveLength(1 + 5 + 1 + 3);
});
