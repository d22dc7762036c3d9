import type { OptionSpec } from '../option-spec.js';

/** The status endpoint. */
export const STATUS = {
  host: {
    type: 'string',
    unit: 'address',
    default: '127.0.0.1',
    group: 'status',
    help: 'address of the status endpoint',
  },
  port: {
    type: 'integer',
    unit: 'port',
    min: 0,
    max: 65535,
    group: 'status',
    help: 'port of the status endpoint; 0 is a free one (default: 9464 for watch, none for the others)',
  },
  'token-file': {
    type: 'path',
    unit: 'file',
    group: 'status',
    help: 'file with the token that requests must bring (bearer, or password of basic auth); without it other machines see no slide',
  },
  'access-log': {
    type: 'path',
    unit: 'file',
    group: 'status',
    help: 'file that gets a line of JSON for each request to the status endpoint',
  },
  otlp: {
    type: 'string',
    unit: 'url',
    group: 'status',
    help: 'collector that gets traces by OTLP over HTTP, such as http://127.0.0.1:4318 (default: OTEL_EXPORTER_OTLP_ENDPOINT, else none)',
  },
} as const satisfies Record<string, OptionSpec>;
