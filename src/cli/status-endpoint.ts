import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Parts } from '../../pipelines/parts.js';
import type { Config } from '../config/options.js';
import { StromaflowError } from '../errors.js';
import { StatusBoard } from '../status/board.js';
import { storedGrid } from '../status/grid.js';
import { createMetrics, type Metrics } from '../status/metrics.js';
import type { Readiness, SlideGrid } from '../status/report.js';
import { isLoopback, type StatusServer, startStatusServer } from '../status/server.js';
import { REMEMBERED } from '../status/slide-book.js';
import { finishedSlides, readSummary, storedPatches } from '../store/finished-slides.js';
import { VERSION } from '../version.js';
import { SlideShelf } from '../view/shelf.js';
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
  /** Slides to look at; undefined where nobody can ask. */
  readonly shelf: SlideShelf | undefined;
  #server: StatusServer | undefined;
  #parts: Pick<Parts, 'bus' | 'models'> | undefined;
  readonly #folder: WatchedFolder | undefined;
  #supervision: Pick<EngineSupervision, 'failure'> | undefined;

  /** @throws PORT_IN_USE, CONFIG_INVALID */
  static async open(
    config: Pick<Config, 'host' | 'port' | 'token-file' | 'access-log' | 'out'>,
    terminal: Pick<Terminal, 'line'>,
    folder?: WatchedFolder,
  ): Promise<StatusEndpoint> {
    const { host, port, out, 'token-file': tokenFile, 'access-log': accessLog } = config;
    const endpoint = new StatusEndpoint(folder, port === undefined ? undefined : new SlideShelf(out));
    if (port === undefined) return endpoint;
    const { metrics, board, shelf } = endpoint;
    const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
    endpoint.#server = await startStatusServer({
      host,
      port,
      metrics,
      status: () => board.report(),
      curves: () => board.training.curves(),
      grid: slide => board.grid(slide) ?? gridOf(slide, board, out),
      readiness: () => endpoint.#readiness(),
      ...(shelf ? { shelf } : {}),
      ...{ token, accessLog },
    });
    if (token === undefined && !isLoopback(host))
      terminal.line('           health and metrics only: other machines see slides when there is a --token-file');
    terminal.line(`status     ${endpoint.#server.url}  (a page for the browser, while this runs)`);
    return endpoint;
  }

  private constructor(folder: WatchedFolder | undefined, shelf: SlideShelf | undefined) {
    this.#folder = folder;
    this.shelf = shelf;
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
      streams: () => (this.#parts?.bus.connected ? this.#parts.bus.kept?.fill() : undefined),
      ...(folder && { folderUp: () => folder.reason === undefined }),
    });
    this.board = new StatusBoard({ version: VERSION, bus, engine, ...(folder && { folder }) });
  }

  /** Where people look at slides; undefined where nobody can. */
  get viewer(): string | undefined {
    return this.#server && this.shelf ? `${this.#server.url}/view/` : undefined;
  }

  /** Shows what earlier starts finished, too. */
  async recall(out: string): Promise<void> {
    this.board.recall(await finishedSlides(out, REMEMBERED));
  }

  /** The graph's parts are there. */
  opened(parts: Pick<Parts, 'bus' | 'models'>, supervision: Pick<EngineSupervision, 'failure'>): void {
    this.#parts = parts;
    this.#supervision = supervision;
  }

  async close(): Promise<void> {
    await this.#server?.close();
    await this.shelf?.close();
  }

  #readiness(): Readiness {
    const training = this.board.training.report();
    if (training) {
      const ready = training.state !== 'preparing';
      return { components: { training: ready ? { ready } : { ready, reason: 'the set is being looked at' } } };
    }
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

/** Below it a token can be guessed. */
const SHORTEST_TOKEN = 16;

async function readToken(path: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new StromaflowError('CONFIG_INVALID', `${path}: the token cannot be read`, { cause });
  }
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < SHORTEST_TOKEN)
    throw new StromaflowError(
      'CONFIG_INVALID',
      `${path}: a token has ${SHORTEST_TOKEN} characters or more, no space in it`,
      {
        fix: 'make one with: openssl rand -hex 32',
      },
    );
  return token;
}
