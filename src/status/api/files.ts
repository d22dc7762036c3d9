import { createReadStream, type ReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { POLYGON_FILE } from '../../store/geojson.js';
import { SUMMARY_FILE } from '../../store/slide-files.js';
import { MASK_STORE } from '../../store/zarr.js';
import type { SlideShelf } from '../../view/shelf.js';
import { problem } from './problem.js';
import * as schemas from './schemas.js';
import { notFound } from './slides.js';

interface FilePath {
  readonly Params: { readonly slide: string; readonly '*'?: string };
}

/** What a store holds: metadata, and chunks by their numbers. */
const IN_STORE = /^(\.zgroup|\.zattrs|zarr\.json|\d{1,2}\/(\.zarray|zarr\.json|(c\/)?\d{1,7}\/\d{1,7}))$/;

/** Files of a slide's results, as they lie on disk; those that are written last are not there before. */
export function addFiles(app: FastifyInstance, shelf: SlideShelf): void {
  const add = (name: string, produces: string, summary: string): void => {
    app.get<FilePath>(
      `/api/slides/:slide/${name}`,
      { schema: { summary, params: schemas.slideParams, produces } as object },
      async (request, reply) => {
        const found = await shelf.find(request.params.slide);
        if (!found) return notFound(reply);
        reply.header('content-disposition', `attachment; filename="${found.status.slide}-${name}"`);
        return sendFile(request, reply, join(found.folder, name), produces);
      },
    );
  };
  add(POLYGON_FILE, 'application/geo+json', "The mask's polygons, for QuPath; there when the slide has ended");
  add(SUMMARY_FILE, 'application/json', 'Areas, counts and how they came about; there when the slide has ended');
  app.get<FilePath>(
    `/api/slides/:slide/${MASK_STORE}/*`,
    {
      schema: {
        ...{ summary: 'The mask as OME-Zarr, for tools that read it from a URL' },
        ...{ params: schemas.storeParams, produces: 'application/octet-stream' },
      } as object,
    },
    async (request, reply) => {
      const { slide, '*': path = '' } = request.params;
      const found = IN_STORE.test(path) ? await shelf.find(slide) : undefined;
      if (!found) return notFound(reply);
      const type = /json$|\/?\.z/.test(path) ? 'application/json' : 'application/octet-stream';
      return sendFile(request, reply, join(found.folder, MASK_STORE, path), type);
    },
  );
}

/** A whole file, or one range of it. */
async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  type: string,
): Promise<FastifyReply> {
  const facts = await lstat(path).catch(() => undefined);
  if (!facts?.isFile()) {
    reply.removeHeader('content-disposition');
    return notFound(reply);
  }
  const { size, mtimeMs } = facts;
  const etag = `"${size.toString(36)}-${Math.trunc(mtimeMs).toString(36)}"`;
  reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' });
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  const range = rangeOf(request.headers.range, size);
  if (range === 'wrong') {
    reply.removeHeader('content-disposition').header('content-range', `bytes */${size}`);
    return reply.code(416).send(problem('no such range'));
  }
  reply.type(type);
  if (!range) return reply.header('content-length', size).send(open(path, 0, size - 1));
  const [first, last] = range;
  reply.headers({ 'content-range': `bytes ${first}-${last}/${size}`, 'content-length': last - first + 1 });
  return reply.code(206).send(open(path, first, last));
}

const open = (path: string, start: number, end: number): ReadStream => createReadStream(path, { start, end });

/** One range of bytes (RFC 9110 §14.1.2); several, and units that are not known, are answered by the whole. */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | 'wrong' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined)
    return header?.startsWith('bytes=') && !header.includes(',') ? 'wrong' : undefined;
  if (from === '' && to === '') return 'wrong';
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to));
  return first > last || first >= size ? 'wrong' : [first, last];
}
