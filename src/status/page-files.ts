import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { sendTagged } from './api/slides.js';

const FOLDER = fileURLToPath(new URL('../page/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** Of nothing: index.html has an empty style. */
const EMPTY_HASH = createHash('sha256').digest('base64');

/** Scripts and pictures from here alone; styles that scripts set on elements need no permission. */
const POLICY = [
  ...[
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'sha256-${EMPTY_HASH}'`,
    "connect-src 'self'",
    "img-src 'self' data: blob:",
  ],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

/** The viewer at /view/: what the build put there, read once; no path of a request reaches the disk. */
export function addPageFiles(app: FastifyInstance): void {
  for (const name of readdirSync(FOLDER)) {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
    if (type === undefined || name.endsWith('.d.ts')) continue;
    const content = readFileSync(`${FOLDER}${name}`);
    const tag = createHash('sha256').update(content).digest('base64url').slice(0, 22);
    app.get(`/view/${name === 'index.html' ? '' : name}`, async (request, reply) => {
      reply.type(type).header('content-security-policy', POLICY);
      return sendTagged(request, reply, tag, () => content);
    });
  }
  app.get('/view', async (_request, reply) => reply.redirect('/view/', 308));
}
