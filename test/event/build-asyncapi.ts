import { eventSchemas } from '#src/event/schemas/index.js';
import type { JsonSchema } from '#src/event/schemas/schema.js';
import { DEFAULT_PREFIX, DLQ_STAGES, SLIDE_STATES } from '#src/event/subjects.js';

const ref = (path: string) => ({ $ref: `#/${path}` });
const TOKEN = 'Made of [A-Za-z0-9_-]; other characters are escaped as __XX.';

const PARAMETERS: Readonly<Record<string, string>> = {
  site: `Name of the site. ${TOKEN}`,
  scanner: `Name of the scanner. ${TOKEN}`,
  slide: 'Id of the slide.',
  col: 'Column of the patch, from 0.',
  row: 'Row of the patch, from 0.',
};

interface Message {
  readonly name: string;
  /** After `<prefix>.<site>.<scanner>.`. */
  readonly address: string;
  readonly type: string;
  readonly schema: JsonSchema;
}

const JSON_MESSAGES: readonly Message[] = [
  ...SLIDE_STATES.map(state => ({
    name: `slide-${state}`,
    address: `slide.${state}.{slide}`,
    type: `stromaflow.slide.${state}.v1`,
    schema: eventSchemas.slide[state],
  })),
  { name: 'aggregate', address: 'aggregate.{slide}', type: 'stromaflow.aggregate.v1', schema: eventSchemas.aggregate },
  ...DLQ_STAGES.map(stage => ({
    name: `dlq-${stage}`,
    address: `dlq.${stage}.{slide}`,
    type: `stromaflow.dlq.${stage}.v1`,
    schema: eventSchemas.deadLetter,
  })),
];

const MASK: Message = {
  name: 'mask',
  address: 'mask.{slide}.{col}.{row}',
  type: 'stromaflow.mask.v1',
  schema: eventSchemas.maskHeaders,
};

/** docs/asyncapi.yaml: the contract as AsyncAPI 3.0, from the same schemas as the code. */
export function buildAsyncApi(version: string): object {
  const messages = [MASK, ...JSON_MESSAGES];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Stromaflow events',
      version,
      description:
        'CloudEvents 1.0 in NATS binary mode: attributes are headers (ce-…, percent-encoded), the payload is the data. See events.md.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { nats: { host: 'localhost:4222', protocol: 'nats' } },
    channels: Object.fromEntries(messages.map(message => [message.name, channel(message)])),
    operations: Object.fromEntries(
      messages.map(({ name }) => [
        `publish-${name}`,
        { action: 'send', channel: ref(`channels/${name}`), messages: [ref(`channels/${name}/messages/${name}`)] },
      ]),
    ),
    components: {
      messages: Object.fromEntries([[MASK.name, maskMessage()], ...JSON_MESSAGES.map(jsonMessage)]),
    },
  };
}

function channel({ name, address }: Message): object {
  const full = `${DEFAULT_PREFIX}.{site}.{scanner}.${address}`;
  const parameters = [...full.matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => [
    parameter,
    { description: PARAMETERS[parameter] },
  ]);
  return {
    address: full,
    messages: { [name]: ref(`components/messages/${name}`) },
    parameters: Object.fromEntries(parameters),
  };
}

const jsonMessage = ({ name, type, schema }: Message): [string, object] => [
  name,
  {
    title: schema.title,
    contentType: 'application/json',
    headers: headers(type, { type: 'object' }),
    payload: plain(schema),
  },
];

function maskMessage(): object {
  return {
    title: 'Mask of one patch',
    description: eventSchemas.maskHeaders.description,
    contentType: 'image/png',
    headers: headers(MASK.type, eventSchemas.maskHeaders),
    payload: { type: 'string', format: 'binary', description: 'PNG of side × side pixels, 1 bit each: 1 is stroma.' },
  };
}

/** Every header is a string on the wire; the pattern says what its text is. */
function headers(type: string, { properties: own = {}, required = [] }: JsonSchema): object {
  const attributes: Record<string, object> = {
    'ce-specversion': { type: 'string', const: '1.0' },
    'ce-id': { type: 'string', description: 'Names the effect: the same whenever it is published again.' },
    'ce-source': { type: 'string', format: 'uri-reference' },
    'ce-type': { type: 'string', const: type },
    'ce-time': { type: 'string', format: 'date-time' },
    'ce-datacontenttype': { type: 'string' },
    'ce-slide': { type: 'string', description: PARAMETERS['slide'] },
    'ce-run': { type: 'string', description: 'Short hash of the run; none before it has one.' },
    'Nats-Msg-Id': { type: 'string', description: 'The same as ce-id.' },
  };
  for (const [name, schema] of Object.entries(own)) {
    const pattern = schema.type === 'integer' ? { pattern: '^[0-9]+$' } : {};
    attributes[`ce-${name}`] = { type: 'string', description: schema.description, ...pattern };
  }
  const optional = new Set(Object.keys(own).flatMap(name => (required.includes(name) ? [] : [`ce-${name}`])));
  return {
    type: 'object',
    required: Object.keys(attributes).filter(name => !optional.has(name)),
    properties: attributes,
  };
}

/** AsyncAPI's own schema dialect knows neither $schema nor, inside a document, $id. */
function plain({ $schema, $id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
