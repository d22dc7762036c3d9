import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { coarseLevel, maskLevels } from '../../view/mask-levels.js';
import { PATCH_STATES, type PatchState } from '../../view/patch-table.js';
import { PICTURE_TILE, pictureLevels } from '../../view/picture-levels.js';
import type { SlideShelf } from '../../view/shelf.js';
import type { ViewedSlide } from '../../view/viewed-slide.js';
import { problem } from './problem.js';
import * as schemas from './schemas.js';

interface SlidePath {
  readonly Params: { readonly slide: string };
}

/** Lists of slides and patches, as JSON. */
export function addSlides(app: FastifyInstance, shelf: SlideShelf): void {
  app.get<{ Querystring: { offset: number; limit: number; find?: string } }>(
    '/api/slides',
    {
      schema: {
        ...{ summary: 'Slides: open ones first, then ended ones, then those of earlier starts' },
        ...{ querystring: schemas.slidesQuery, response: { 200: schemas.slides } },
      } as object,
    },
    async (request, reply) => {
      const { offset, limit, find = '' } = request.query;
      const wanted = find.toLowerCase();
      const all = (await shelf.list()).filter(({ slide }) => slide.toLowerCase().includes(wanted));
      return tagged(request, reply, { total: all.length, offset, slides: all.slice(offset, offset + limit) });
    },
  );

  app.get<SlidePath>(
    '/api/slides/:slide',
    {
      schema: {
        ...{ summary: 'One slide: what is known of it, and what its tiles are' },
        ...{ params: schemas.slideParams, response: { 200: schemas.slide } },
      } as object,
    },
    async (request, reply) => {
      const found = await shelf.find(request.params.slide);
      return found ? tagged(request, reply, describe(found)) : notFound(reply);
    },
  );

  app.get<SlidePath & { Querystring: { offset: number; limit: number; state?: PatchState } }>(
    '/api/slides/:slide/patches',
    {
      schema: {
        ...{ summary: 'Patches of a slide, row by row, and what became of them' },
        ...{ params: schemas.slideParams, querystring: schemas.patchesQuery, response: { 200: schemas.patches } },
      } as object,
    },
    async (request, reply) => {
      const found = await shelf.find(request.params.slide);
      if (!found?.table) return notFound(reply);
      const { offset, limit, state } = request.query;
      const listed = found.table.list(offset, limit, state ? [state] : PATCH_STATES);
      return tagged(request, reply, { offset, ...listed });
    },
  );
}

function describe(slide: ViewedSlide): object {
  const { status, shape, table, picture, maskGrid, keptThreshold, stream } = slide;
  return {
    ...status,
    shape: shape ?? null,
    picture: picture ? { tile: PICTURE_TILE, levels: pictureLevels(picture.shape) } : null,
    probability: keptThreshold === undefined ? null : { threshold: keptThreshold },
    mask: maskGrid ? { tile: maskGrid.core, levels: maskLevels(maskGrid), coarse: coarseLevel(maskGrid.core) } : null,
    codes: table ? Buffer.from(table.codes()).toString('base64') : null,
    position: stream.position,
  };
}

export const notFound = (reply: FastifyReply): FastifyReply => reply.code(404).send(problem('not found'));

/** Sends it under a tag of its content, or 304 to who has it. */
function tagged(request: FastifyRequest, reply: FastifyReply, content: object): FastifyReply {
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 22);
  return sendTagged(request, reply, hash, () => content);
}

/** Sends what the tag stands for, or 304 to who has it. */
export function sendTagged(
  request: FastifyRequest,
  reply: FastifyReply,
  tag: string,
  content: () => unknown,
): FastifyReply {
  const etag = `"${tag}"`;
  reply.headers({ etag, 'cache-control': 'private, no-cache' });
  const known = (request.headers['if-none-match'] ?? '').split(',').map(given => given.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return reply.code(304).send();
  return reply.send(content());
}
