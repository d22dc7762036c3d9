import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Times of OTLP's JSON are nanoseconds since 1970 as text. */
export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly from: number;
  readonly to: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly spanId: string; readonly traceId: string }[];
  readonly events: readonly { readonly name: string; readonly attributes: Record<string, unknown> }[];
  readonly error: string | undefined;
}

export interface Collector {
  readonly url: string;
  readonly spans: SeenSpan[];
  readonly resources: Record<string, unknown>[];
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[];
  close(): Promise<void>;
}

/** A receiver of OTLP over HTTP; `answer` says how it behaves, JSON is understood. */
export async function startCollector(
  answer: (response: ServerResponse, request: number) => void = response => response.end('{}'),
): Promise<Collector> {
  const spans: SeenSpan[] = [];
  const resources: Record<string, unknown>[] = [];
  const requests: Collector['requests'] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    requests.push({ path: request.url ?? '', headers: request.headers, body });
    answer(response, requests.length);
    if (request.headers['content-type'] !== 'application/json' || response.statusCode !== 200) return;
    for (const { resource, scopeSpans } of JSON.parse(body.toString()).resourceSpans) {
      resources.push(valuesOf(resource.attributes));
      for (const { spans: some } of scopeSpans) spans.push(...some.map(seen));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resources,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Wire {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: Attribute[];
  readonly links?: { spanId: string; traceId: string }[];
  readonly events?: { name: string; attributes?: Attribute[] }[];
  readonly status?: { code?: number; message?: string };
}

interface Attribute {
  readonly key: string;
  readonly value: Record<string, unknown>;
}

const seen = (wire: Wire): SeenSpan => ({
  traceId: wire.traceId,
  spanId: wire.spanId,
  ...(wire.parentSpanId ? { parentSpanId: wire.parentSpanId } : {}),
  name: wire.name,
  kind: wire.kind,
  from: Number(wire.startTimeUnixNano) / 1e6,
  to: Number(wire.endTimeUnixNano) / 1e6,
  attributes: valuesOf(wire.attributes) as SeenSpan['attributes'],
  links: wire.links ?? [],
  events: (wire.events ?? []).map(({ name, attributes }) => ({ name, attributes: valuesOf(attributes) })),
  error: wire.status?.code === 2 ? wire.status.message : undefined,
});

const valuesOf = (attributes: readonly Attribute[] = []): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { intValue, ...other } = value;
      return [key, intValue === undefined ? Object.values(other)[0] : Number(intValue)];
    }),
  );
