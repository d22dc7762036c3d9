import { isIPv4 } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { StromaflowError } from '../errors.js';
import type { SlideShelf } from '../view/shelf.js';
import { guardAccess } from './api/access.js';
import { addEvents } from './api/events.js';
import { addFiles } from './api/files.js';
import { logRequests, requestId } from './api/log.js';
import { describeApi } from './api/openapi.js';
import { DEFAULT_RATE, limitRate, type RateLimit } from './api/rate-limit.js';
import { addSlides } from './api/slides.js';
import { addTiles } from './api/tiles.js';
import type { Metrics } from './metrics.js';
import { createPage } from './page.js';
import { addPageFiles } from './page-files.js';
import type { Readiness, SlideGrid, StatusReport } from './report.js';
import { aliveSchema, gridSchema, problemSchema, readinessSchema, statusSchema } from './report-schema.js';

export interface StatusServerOptions {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string;
  /** 0 chooses a free one. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly status: () => StatusReport;
  readonly readiness: () => Readiness;
  /** The picture of a slide's grid on the page. */
  readonly grid?: (slide: string) => SlideGrid | undefined | Promise<SlideGrid | undefined>;
  /** SVG of a training run's curves; undefined before there are any. */
  readonly curves?: () => string | undefined;
  /** Slides to look at: with it there are /api and /view. */
  readonly shelf?: SlideShelf;
  /** What a request must bring; without it other machines get nothing that names a slide. */
  readonly token?: string | undefined;
  /** Of one address. @default DEFAULT_RATE */
  readonly rate?: RateLimit;
  /** File that gets a line of JSON a request; none: no log. */
  readonly accessLog?: string | undefined;
}

export interface StatusServer {
  /** Where it listens: `http://127.0.0.1:9464`. */
  readonly url: string;
  /** Lets requests under way finish, then frees the port. */
  close(): Promise<void>;
}

/**
 * /livez (/healthz), /readyz, /status, /metrics, a page for people at /, and with a shelf /api and a viewer at /view/. Read-only. Liveness asks nothing of NATS or
 * the engine: a restart mends neither. Rejects with PORT_IN_USE, or CONFIG_INVALID when the address cannot be used.
 */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const { host = '127.0.0.1', port, shelf, token, rate = DEFAULT_RATE, accessLog } = options;
  const app = Fastify({
    logger: accessLog === undefined ? false : { level: 'info', file: accessLog, base: null },
    logController: new Fastify.LogController({ disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    requestTimeout: 10_000,
    bodyLimit: 1024,
    routerOptions: { maxParamLength: 255 },
    // A path that cannot be decoded or is too long never reaches a route, nor the hooks.
    frameworkErrors: (_error, _request, reply) => {
      const headers = { ...GUARDED, 'content-type': 'application/json; charset=utf-8' };
      reply.raw.writeHead(400, headers).end(JSON.stringify({ error: 'bad request' }));
    },
  });
  hardenAnswers(app);
  logRequests(app);
  const loopback = isLoopback(host);
  if (loopback) refuseForeignNames(app);
  limitRate(app, rate);
  guardAccess(app, { token, loopback });
  addHealth(app, options);
  addStatus(app, options);
  if (shelf) {
    describeApi(app);
    addSlides(app, shelf);
    addTiles(app, shelf);
    addEvents(app, shelf);
    addFiles(app, shelf);
    addPageFiles(app);
  }
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, host, port);
  }
  return { url: listeningUrl(app), close: () => app.close() };
}

function addHealth(app: FastifyInstance, { readiness }: StatusServerOptions): void {
  for (const path of ['/livez', '/healthz']) {
    app.get(path, { schema: { response: { 200: aliveSchema } } }, async () => ({ status: 'ok' }));
  }
  const schema = { response: { 200: readinessSchema, 503: readinessSchema } };
  app.get('/readyz', { schema }, async (_request, reply) => {
    const { components } = readiness();
    const ready = Object.values(components).every(component => component.ready);
    reply.code(ready ? 200 : 503);
    return { ready, components };
  });
}

function addStatus(app: FastifyInstance, { status, metrics, grid, curves, shelf }: StatusServerOptions): void {
  app.get('/status', { schema: { response: { 200: statusSchema } } }, async () => status());

  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.text();
  });

  const schema = { response: { 200: gridSchema, 404: problemSchema } };
  app.get<{ Params: { slide: string } }>('/slides/:slide/grid', { schema }, async (request, reply) => {
    const found = await grid?.(request.params.slide);
    if (!found) return reply.code(404).send({ error: 'not found' });
    return { cols: found.cols, rows: found.rows, cells: Buffer.from(found.cells).toString('base64') };
  });

  app.get('/training/curves.svg', async (_request, reply) => {
    const found = curves?.();
    if (found === undefined) return reply.code(404).send({ error: 'not found' });
    return reply.header('content-security-policy', SVG_POLICY).type('image/svg+xml').send(found);
  });

  const page = createPage({ viewer: shelf !== undefined });
  app.get('/', async (_request, reply) => {
    reply.header('content-security-policy', page.policy).type('text/html; charset=utf-8');
    return page.html;
  });
}

/** A picture that is opened by itself is a document: its style applies, nothing else runs. */
const SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

const GUARDED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

/** Answers are never cached or sniffed, and say nothing of paths, code or the request they answer. */
function hardenAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (_request, reply) => {
    const cached = reply.getHeader('cache-control');
    reply.headers({ ...GUARDED, ...(cached === undefined ? {} : { 'cache-control': cached }) });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }));
  app.setErrorHandler<{ statusCode?: number }>((error, _request, reply) => {
    const code = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500;
    return reply.code(code).send({ error: code < 500 ? 'bad request' : 'internal error' });
  });
}

/**
 * What listens on loopback is meant for this machine. A web page of somebody else can reach it all the same, by letting
 * its own host name point here (DNS rebinding); then that name stands in the Host header.
 */
function refuseForeignNames(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isLoopback(request.hostname.replace(/^\[|\]$/g, ''))) return;
    return reply.code(421).send({ error: 'unknown host' });
  });
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

function listeningUrl(app: FastifyInstance): string {
  const address = app.server.address();
  if (address === null || typeof address === 'string')
    throw new StromaflowError('INTERNAL', 'the status server listens nowhere');
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenError(cause: unknown, host: string, port: number): StromaflowError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  if (code === 'EADDRINUSE') return new StromaflowError('PORT_IN_USE', `${host}:${port} is in use`, { cause });
  const why = code === 'EACCES' ? 'not permitted' : code;
  return new StromaflowError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${why}`, {
    cause,
    fix: 'correct --host and --port',
  });
}
