import type { FastifyInstance, RouteOptions } from 'fastify';
import { VERSION } from '../../version.js';
import { problem } from './schemas.js';

interface Described {
  readonly summary?: string;
  readonly params?: { readonly properties: Record<string, object> };
  readonly querystring?: { readonly properties: Record<string, object> };
  readonly response?: Record<string, object>;
  /** MIME type of an answer that is no JSON. */
  readonly produces?: string;
}

/** Answers that any path may give. */
const COMMON = { 400: 'Bad request', 401: 'A token is needed', 404: 'Not found', 429: 'Too many requests' };

/** Serves an OpenAPI 3.1 document of every route below /api, made from the routes' own schemas. */
export function describeApi(app: FastifyInstance): void {
  const paths: Record<string, Record<string, object>> = {};
  app.addHook('onRoute', route => {
    const methods = [route.method].flat().filter(method => method !== 'HEAD');
    if (!route.url.startsWith('/api') || route.schema === undefined) return;
    const path = route.url.replace(/:(\w+)/g, '{$1}').replace('*', '{path}');
    for (const method of methods) {
      paths[path] ??= {};
      paths[path][method.toLowerCase()] = operation(route);
    }
  });
  app.get('/api/openapi.json', { schema: { hide: true } as object }, async () => ({
    openapi: '3.1.0',
    info: {
      title: 'Stromaflow',
      version: VERSION,
      description: 'Slides, their patches, pictures and masks, as they come. Read-only.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: Object.fromEntries(Object.entries(paths).filter(([path]) => path !== '/api/openapi.json')),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: 'Any user name; the token is the password.' },
      },
    },
    security: [{ bearer: [] }, { basic: [] }, {}],
  }));
}

function operation({ schema }: RouteOptions): object {
  const { summary, params, querystring, response = {}, produces = 'application/json' } = schema as Described;
  const parameters = [
    ...Object.entries(params?.properties ?? {}).map(([name, is]) => ({
      ...{ name: name === '*' ? 'path' : name, in: 'path', required: true, schema: is },
    })),
    ...Object.entries(querystring?.properties ?? {}).map(([name, is]) => ({ name, in: 'query', schema: is })),
  ];
  const ok = response['200'];
  const content = { [produces]: { schema: ok ?? { type: 'string', contentEncoding: 'binary' } } };
  const problems = Object.entries(COMMON).map(([status, description]) => [
    status,
    { description, content: { 'application/json': { schema: problem } } },
  ]);
  return {
    ...(summary ? { summary } : {}),
    parameters,
    responses: { 200: { description: 'OK', content }, ...Object.fromEntries(problems) },
  };
}
