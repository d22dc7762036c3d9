import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import * as zarr from 'zarrita';
import type { Parts } from '#pipelines/parts.js';
import type { runSlide } from '#pipelines/run-slide.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import type { Config } from '#src/config/options.js';
import { openSlide } from '#src/slide/open.js';
import { combineObservers } from '#src/stage/observer.js';
import { StatusBoard } from '#src/status/board.js';
import { createMetrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import { type StatusServer, type StatusServerOptions, startStatusServer } from '#src/status/server.js';
import { SlideShelf } from '#src/view/shelf.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

export const ID = 'CMU-1-Small-Region';

/** A server that shows what lies in a folder of results. */
export interface Looking {
  readonly out: string;
  readonly shelf: SlideShelf;
  readonly server: StatusServer;
  get(path: string, options?: RequestInit): Promise<Response>;
  json<T = Record<string, unknown>>(path: string): Promise<T>;
  close(): Promise<void>;
}

/** A graph that is looked at, as the command line joins them. */
export interface Viewing extends Looking {
  readonly parts: Parts;
  /** Segments a slide, the fixture unless another is given. */
  segment(task?: Partial<Task>): Promise<SlideResult>;
}

type Task = Parameters<typeof runSlide>[0];

/** A slide that is open, and none of whose patches is read before `read` is called. */
export interface Held {
  readonly result: Promise<SlideResult>;
  read(): void;
}

/** Opens a slide while all slots of the graph are out. */
export async function holdSlide({ parts, segment }: Pick<Viewing, 'parts' | 'segment'>, id: string): Promise<Held> {
  const never = new AbortController().signal;
  const slots: number[] = [];
  while (parts.credits.free > 0) slots.push((await parts.credits.acquire(never))!);
  const opened = (async () => {
    for await (const event of parts.bus.subscribe('stroma.v1.>', never))
      if (event.type === 'stromaflow.slide.opened.v1') return;
  })();
  const result = segment({ id });
  await opened;
  const read = (): void => {
    for (const slot of slots.splice(0)) parts.credits.release(slot);
  };
  return { result, read };
}

export async function startLooking(out: string, change: Partial<StatusServerOptions> = {}): Promise<Looking> {
  const shelf = new SlideShelf(out);
  const board = new StatusBoard({ version: '1.2.3', bus: { description: 'in process', connected: true } });
  const server = await startStatusServer({
    ...{ port: 0, metrics: createMetrics({ version: '1.2.3' }), shelf },
    status: () => board.report(),
    readiness: () => ({ components: {} }),
    ...change,
  });
  const get = (path: string, options: RequestInit = {}) => fetch(`${server.url}${path}`, options);
  return {
    ...{ out, shelf, server, get },
    json: async <T>(path: string) => (await (await get(path)).json()) as T,
    close: async () => {
      await server.close();
      await shelf.close();
    },
  };
}

export async function startViewing(
  config: Partial<Config> = {},
  change: Partial<StatusServerOptions> = {},
): Promise<Viewing> {
  const out = config.out ?? (await emptyFolder());
  const bare = await partsWith({ ...config, out });
  const board = new StatusBoard({ version: '1.2.3', bus: bare.bus });
  const looking = await startLooking(out, {
    status: () => board.report(),
    grid: slide => board.grid(slide),
    ...change,
  });
  const { shelf } = looking;
  const parts: Parts = {
    ...bare,
    observer: combineObservers([board.observer, shelf.observer]),
    bus: observeBus(bare.bus, [board.busObserver, shelf.busObserver]),
    onOpened: session => shelf.opened(session),
  };
  return {
    ...{ ...looking, parts },
    segment: (task = {}) =>
      lastValueFrom(
        segmentSlides(
          of({ path: SLIDE, id: ID, open: () => openSlide(SLIDE, { id: task.id ?? ID }), ...task }),
          parts,
          new AbortController().signal,
        ),
      ),
    close: async () => {
      await looking.close();
      await bare.close();
    },
  };
}

/** The stored mask of a slide at a resolution, whole, a byte a pixel, as zarrita reads it. */
export async function storedMask(
  out: string,
  id: string,
  level: number,
): Promise<{ width: number; height: number; data: Uint8Array }> {
  const root = join(out, id, 'mask.ome.zarr');
  const store = {
    get: async (key: string) =>
      existsSync(join(root, key)) ? new Uint8Array(readFileSync(join(root, key))) : undefined,
  };
  const array = await zarr.open.v2(zarr.root(store).resolve(String(level)), { kind: 'array' });
  const { data, shape } = await zarr.get(array);
  const [height, width] = shape as [number, number];
  return { width, height, data: data as Uint8Array };
}
