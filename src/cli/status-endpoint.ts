import { join } from 'node:path';
import type { Parts } from '../../pipelines/parts.js';
import type { Config } from '../config/options.js';
import { StatusBoard } from '../status/board.js';
import { storedGrid } from '../status/grid.js';
import { createMetrics, type Metrics } from '../status/metrics.js';
import type { Readiness, SlideGrid } from '../status/report.js';
import { type StatusServer, startStatusServer } from '../status/server.js';
import { REMEMBERED } from '../status/slide-book.js';
import { finishedSlides, readSummary, storedPatches } from '../store/finished-slides.js';
import { VERSION } from '../version.js';
import type { EngineSupervision } from './supervise-engine.js';
import type { Terminal } from './terminal.js';

/** The folder that is watched. */
export interface WatchedFolder {
  readonly root: string;
  /** Why it is away, undefined while it is there. */
  readonly reason: string | undefined;
}

/**
 * What a graph shows of itself: metrics, the board and, where `--port` asks for it, the endpoint. That listens before the model is
 * loaded, so that a port in use is noticed first and nobody takes a long start for a dead process.
 */
export class StatusEndpoint {
  readonly metrics: Metrics;
  readonly board: StatusBoard;
  #server: StatusServer | undefined;
  #parts: Pick<Parts, 'bus' | 'models'> | undefined;
  readonly #folder: WatchedFolder | undefined;
  #supervision: Pick<EngineSupervision, 'failure'> | undefined;

  /** @throws PORT_IN_USE, CONFIG_INVALID */
  static async open(
    config: Pick<Config, 'host' | 'port' | 'out'>,
    terminal: Pick<Terminal, 'line'>,
    folder?: WatchedFolder,
  ): Promise<StatusEndpoint> {
    const endpoint = new StatusEndpoint(folder);
    const { host, port, out } = config;
    if (port === undefined) return endpoint;
    const { metrics, board } = endpoint;
    if (folder) board.recall(await finishedSlides(out, REMEMBERED));
    endpoint.#server = await startStatusServer({
      host,
      port,
      metrics,
      status: () => board.report(),
      grid: slide => board.grid(slide) ?? gridOf(slide, board, out),
      readiness: () => endpoint.#readiness(),
    });
    terminal.line(`status     ${endpoint.#server.url}  (a page for the browser, while this runs)`);
    return endpoint;
  }

  private constructor(folder: WatchedFolder | undefined) {
    this.#folder = folder;
    const engine = () => this.#parts?.models.current.segmenter.info;
    const connected = () => this.#parts?.bus.connected ?? false;
    const description = () => this.#parts?.bus.description ?? 'not opened yet';
    const bus = {
      get description() {
        return description();
      },
      get connected() {
        return connected();
      },
    };
    this.metrics = createMetrics({
      version: VERSION,
      engine,
      connected,
      ...(folder && { folderUp: () => folder.reason === undefined }),
    });
    this.board = new StatusBoard({ version: VERSION, bus, engine, ...(folder && { folder }) });
  }

  /** The graph's parts are there. */
  opened(parts: Pick<Parts, 'bus' | 'models'>, supervision: Pick<EngineSupervision, 'failure'>): void {
    this.#parts = parts;
    this.#supervision = supervision;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #readiness(): Readiness {
    const unless = (reason: string | false | undefined) => (reason ? { ready: false, reason } : { ready: true });
    const { bus } = this.#parts ?? {};
    return {
      components: {
        bus: unless(bus ? !bus.connected && `${bus.description} is away` : 'is being opened'),
        engine: unless(bus ? this.#supervision?.failure?.message : 'the model is being loaded'),
        ...(this.#folder && { folder: unless(this.#folder.reason) }),
        accepting: unless(this.board.draining && 'draining'),
      },
    };
  }
}

/** Of a slide that an earlier start finished. Names come from outside: only those on the board are looked up. */
async function gridOf(slide: string, board: StatusBoard, out: string): Promise<SlideGrid | undefined> {
  if (!board.report().slides.some(known => known.slide === slide && known.state !== 'open')) return undefined;
  const folder = join(out, slide);
  try {
    const summary = await readSummary(folder);
    return summary && (await storedGrid(summary.plan.cols, summary.plan.rows, storedPatches(folder)));
  } catch {
    return undefined;
  }
}
