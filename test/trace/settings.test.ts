import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTracer } from '#src/trace/open-tracer.js';
import { traceSettings } from '#src/trace/settings.js';
import { readTraceparent, writeTraceparent } from '#src/trace/tracer.js';

describe('traceSettings', () => {
  it('wants no traces where nothing names a collector, or they are switched off', () => {
    expect(traceSettings(undefined, {})).toBeUndefined();
    expect(traceSettings(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toBeUndefined();
    const there = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' };
    expect(traceSettings(undefined, { ...there, OTEL_SDK_DISABLED: 'TRUE' })).toBeUndefined();
    expect(traceSettings('http://c:4318', { OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
    expect(traceSettings(undefined, there)).toBeDefined();
  });

  it.each([
    ['http://c:4318', {}, 'http://c:4318/v1/traces'],
    ['http://c:4318/', {}, 'http://c:4318/v1/traces'],
    ['https://c/otlp', {}, 'https://c/otlp/v1/traces'],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:1/x/' }, 'http://env:1/x/v1/traces'],
    [undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env:1/mine' }, 'http://env:1/mine'],
    [
      undefined,
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all:1', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:1' },
      'http://traces:1/',
    ],
    ['http://c:4318', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env:1/mine' }, 'http://c:4318/v1/traces'],
  ])('takes --otlp %s and %j for %s', (otlp, environment, url) => {
    expect(traceSettings(otlp, environment)).toMatchObject({ url });
  });

  it('reads headers, encoding, time and sampling as the specification has them', () => {
    const all = traceSettings('http://c:4318', {
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=abc, a=b%20c',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'a=d',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_SERVICE_NAME: 'lab',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    expect(all).toMatchObject({
      headers: { 'api-key': 'abc', a: 'd' },
      encoding: 'json',
      timeoutMs: 2500,
      sampler: { ratio: 0.25, byParent: true },
      serviceName: 'lab',
      resource: { 'deployment.environment.name': 'test' },
    });
    expect(traceSettings('http://c:4318', {})).toMatchObject({
      encoding: 'protobuf',
      sampler: { ratio: 1, byParent: true },
    });
    expect(traceSettings('http://c', { OTEL_TRACES_SAMPLER: 'always_off' })).toMatchObject({
      sampler: { ratio: 0, byParent: false },
    });
  });

  it.each([
    ['c:4318', {}, '--otlp'],
    ['ftp://c', {}, '--otlp'],
    ['http://me:secret@c', {}, '--otlp'],
    [undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'c' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    ['http://c', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'key' }, 'OTEL_EXPORTER_OTLP_HEADERS'],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'key=%zz' }, 'OTEL_EXPORTER_OTLP_HEADERS'],
    ['http://c', { OTEL_EXPORTER_OTLP_TIMEOUT: '1s' }, 'OTEL_EXPORTER_OTLP_TIMEOUT'],
    ['http://c', { OTEL_TRACES_SAMPLER: 'jaeger_remote' }, 'OTEL_TRACES_SAMPLER'],
    ['http://c', { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, 'OTEL_TRACES_SAMPLER_ARG'],
  ])('refuses %s with %j, naming %s and no secret', (otlp, environment, named) => {
    let message = '';
    try {
      traceSettings(otlp, environment);
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      ({ message } = error as Error);
    }
    expect(message).toContain(named);
    expect(message).not.toContain('secret');
  });

  it('goes on without traces where a variable is wrong, and says so', async () => {
    const told: string[] = [];
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(await openTracer(undefined, {}, ({ code }) => told.push(code), environment)).toBeUndefined();
    expect(told).toEqual(['CONFIG_INVALID']);
    await expect(openTracer('http://c', {}, () => undefined, environment)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

it('reads a traceparent it wrote, and nothing that is none', () => {
  const hex = (length: number) =>
    fc
      .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
      .map(digits => digits.join(''))
      .filter(text => /[^0]/.test(text));
  const context = fc.record({ traceId: hex(32), spanId: hex(16), traceFlags: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(context, given => {
      expect(readTraceparent(writeTraceparent(given))).toEqual(given);
    }),
  );
  const sound = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  expect(readTraceparent(sound)).toBeDefined();
  for (const text of [
    '',
    sound.slice(1),
    `${sound}-x`,
    sound.toUpperCase(),
    sound.replace('b7ad6b7169203331', '0'.repeat(16)),
  ])
    expect(readTraceparent(text)).toBeUndefined();
});
