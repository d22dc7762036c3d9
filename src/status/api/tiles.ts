import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toStromaflowError } from '../../errors.js';
import { tileArea } from '../../view/mask-levels.js';
import type { PatchArea } from '../../view/patch-table.js';
import { PICTURE_TILE, pictureLevels, pictureTile } from '../../view/picture-levels.js';
import type { SlideShelf } from '../../view/shelf.js';
import type { TileJob } from '../../view/tile-messages.js';
import { TooManyTiles } from '../../view/tile-thread.js';
import type { ViewedSlide } from '../../view/viewed-slide.js';
import { problem } from './problem.js';
import * as schemas from './schemas.js';
import { notFound, sendTagged } from './slides.js';

interface TilePath {
  readonly Params: { readonly slide: string; readonly level: number; readonly col: number; readonly row: number };
}

/** Bytes of finished tiles that are kept for the next who asks. */
const KEPT_BYTES = 48 * 2 ** 20;

/** Tiles of slides and of their masks. Many who look at one slide cost one tile. */
export function addTiles(app: FastifyInstance, shelf: SlideShelf): void {
  const kept = new KeptTiles();

  app.get<TilePath>(
    '/api/slides/:slide/tiles/:level/:col/:row',
    {
      schema: {
        ...{ summary: `A tile of the slide, ${PICTURE_TILE} px: level z has a pixel for 2^z × 2^z of the slide` },
        ...{ params: schemas.tileParams, produces: 'image/jpeg' },
      } as object,
    },
    async (request, reply) => {
      const { slide, level, col, row } = request.params;
      const found = await shelf.find(slide);
      const shape = found?.picture?.shape;
      if (!found || !shape || level >= pictureLevels(shape) || !pictureTile(shape, level, col, row))
        return notFound(reply);
      const version = found.table?.version(areaBelow(found, level, col, row)) ?? 0;
      reply.type('image/jpeg');
      return kept.send(request, reply, shelf, found, `p/${level}/${col}/${row}/${version}`, {
        op: 'picture',
        ...{ level, col, row },
      });
    },
  );

  app.get<TilePath>(
    '/api/slides/:slide/mask/:level/:col/:row',
    {
      schema: {
        ...{ summary: 'A tile of the mask, 1-bit: at level k it covers 2^k × 2^k patches; never 404 inside the slide' },
        ...{ params: schemas.tileParams, produces: 'image/png' },
      } as object,
    },
    async (request, reply) => {
      const { slide, level, col, row } = request.params;
      const found = await shelf.find(slide);
      const at = found && onMask(found, level, col, row);
      if (!at) return notFound(reply);
      const { table, area } = at;
      const masked = table.masked(area);
      const version = table.version(area);
      reply.type('image/png');
      return kept.send(request, reply, shelf, found, `m/${level}/${col}/${row}/${version}`, {
        op: 'mask',
        ...{ level, area, masked },
      });
    },
  );

  app.get<TilePath>(
    '/api/slides/:slide/probability/:level/:col/:row',
    {
      schema: {
        ...{ summary: 'A tile of kept probabilities, round(255 p), where the mask has one; transparent: not known' },
        ...{ params: schemas.tileParams, produces: 'image/png' },
      } as object,
    },
    async (request, reply) => {
      const { slide, level, col, row } = request.params;
      const found = await shelf.find(slide);
      const at = found?.keptThreshold === undefined ? undefined : onMask(found, level, col, row);
      if (!found || !at) return notFound(reply);
      const { table, area } = at;
      const segmented = table.segmented(area);
      const version = table.version(area);
      reply.type('image/png');
      return kept.send(request, reply, shelf, found, `q/${level}/${col}/${row}/${version}`, {
        op: 'probability',
        ...{ level, area, segmented },
      });
    },
  );
}

/** Patches that a tile of the mask covers; undefined outside the slide, or where nothing is known of it. */
function onMask({ maskGrid, table }: ViewedSlide, level: number, col: number, row: number) {
  const area = maskGrid && tileArea(maskGrid, level, col, row);
  return table && area ? { table, area } : undefined;
}

/** Patches that a tile of the picture shows. */
function areaBelow({ shape, table }: ViewedSlide, level: number, col: number, row: number): PatchArea {
  const { side, downsample } = shape!.grid;
  const span = (PICTURE_TILE * 2 ** level) / (side * downsample);
  const range = (at: number, count: number): readonly [number, number] => {
    const first = Math.min(count - 1, Math.floor(at * span));
    return [first, Math.min(count, Math.ceil((at + 1) * span)) - first];
  };
  const [left, cols] = range(col, table!.cols);
  const [top, rows] = range(row, table!.rows);
  return { col: left, row: top, cols, rows };
}

class KeptTiles {
  /** Another process may call another tile the same. */
  readonly #start = randomBytes(4).toString('hex');
  readonly #tiles = new Map<string, Uint8Array>();
  readonly #making = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  async send(
    request: FastifyRequest,
    reply: FastifyReply,
    { tiles }: SlideShelf,
    slide: ViewedSlide,
    name: string,
    job: TileJob,
  ): Promise<FastifyReply> {
    const { number } = slide;
    if (number === undefined) return notFound(reply);
    const key = `${this.#start}/${number}/${name}`;
    let made: Uint8Array;
    try {
      made = this.#tiles.get(key) ?? (await this.#make(key, () => tiles.make(number, job)));
    } catch (error) {
      return this.#fail(reply, error);
    }
    return sendTagged(request, reply, key, () => Buffer.from(made.buffer, made.byteOffset, made.byteLength));
  }

  #fail(reply: FastifyReply, error: unknown): FastifyReply {
    reply.type('application/json; charset=utf-8');
    if (error instanceof TooManyTiles)
      return reply.code(503).header('retry-after', '1').send(problem('too many tiles are waiting'));
    const { code } = toStromaflowError(error, 'SLIDE_UNREADABLE');
    // A slide that was moved away, or a tile that is damaged, is no fault of this server.
    return reply.code(404).send(problem(`this tile cannot be read (${code})`));
  }

  #make(key: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const making = this.#making.get(key);
    if (making) return making;
    const made = make().then(bytes => this.#keep(key, bytes));
    this.#making.set(key, made);
    const over = (): void => void this.#making.delete(key);
    made.then(over, over);
    return made;
  }

  #keep(key: string, bytes: Uint8Array): Uint8Array {
    this.#tiles.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#tiles) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#tiles.delete(oldest);
      this.#bytes -= length;
    }
    return bytes;
  }
}
