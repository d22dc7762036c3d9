import type { NatsConnection } from '@nats-io/nats-core';
import { type EventBus, traced } from '../event/bus.js';
import type { CreditedPatch } from '../stage/item.js';
import type { SlideSession } from '../stage/session.js';
import type { Brief } from './brief.js';
import { BriefBoard } from './brief-board.js';
import { Leftovers } from './leftovers.js';
import { taskEvent, type WorkSubjects } from './task.js';
import { TileShelf } from './tile-shelf.js';

export interface TaskDeskOptions {
  readonly bus: EventBus;
  readonly connection: NatsConnection;
  readonly prefix: string;
  readonly subjects: WorkSubjects;
  /** Of a session: what workers must know to read it. */
  readonly briefOf: (session: SlideSession) => Brief;
  /** Most bytes of tiles that are in the stream at a time; absent: workers have the slides' folder. */
  readonly shipBytes?: number | undefined;
}

/** Of a tile, in a message; what headers may take of the server's max_payload. */
const PART_BYTES = 900_000;
const HEADER_BYTES = 2048;

/** Puts tasks into the queue, and into the other streams what workers do them by; takes that away again. */
export class TaskDesk {
  readonly #options: TaskDeskOptions;
  readonly #briefs: BriefBoard;
  readonly #leftovers: Leftovers;
  readonly #tiles: TileShelf | undefined;
  /** The brief that the task of a patch that is out names. */
  readonly #versions = new Map<CreditedPatch, number>();

  constructor(options: TaskDeskOptions) {
    const { bus, connection, prefix, subjects, briefOf, shipBytes } = options;
    this.#options = options;
    const leftovers = new Leftovers(connection, prefix, subjects);
    this.#leftovers = leftovers;
    this.#briefs = new BriefBoard(bus, subjects, briefOf, ({ slide, runToken }, version) => {
      // What stays is let go of with the run.
      leftovers.dropBrief(slide.id, runToken, version).catch(() => undefined);
    });
    if (shipBytes === undefined) return;
    const partBytes = (): number => Math.min(PART_BYTES, (connection.info?.max_payload ?? PART_BYTES) - HEADER_BYTES);
    this.#tiles = new TileShelf({ bus, subjects, leftovers, limitBytes: shipBytes, partBytes });
  }

  /** Bytes of tiles that were shipped since the start. */
  get shippedBytes(): number {
    return this.#tiles?.shippedBytes ?? 0;
  }

  /** Resolves once the server has the task, after all that it needs. Rejects as publishing does, or with SLIDE_UNSUPPORTED. */
  async publish(session: SlideSession, patches: readonly CreditedPatch[]): Promise<void> {
    const { bus, subjects } = this.#options;
    const { slide, runToken: run, engine } = session;
    const naming = this.#briefs.name(session, patches.length);
    const { source } = this.#briefs.snapshot(session);
    const brief = await naming;
    for (const patch of patches) this.#versions.set(patch, brief.version);
    await this.#tiles?.ship(session, source, patches);
    const places = patches.map(({ ref: { col, row } }) => [col, row] as const);
    const shipped = this.#tiles ? { shipped: true as const } : {};
    const task = { slide: slide.id, run, brief, patches: places, ...shipped };
    const event = taskEvent(subjects, engine.modelVersion, task);
    await bus.publish(traced(event, session.trace?.traceparent), session.failed);
  }

  /** A patch has its outcome. */
  settled(patch: CreditedPatch): void {
    const version = this.#versions.get(patch);
    this.#versions.delete(patch);
    if (version !== undefined) this.#briefs.back(patch.session, version);
    this.#tiles?.settled(patch);
  }

  /** What was published of it may be lost: it is published again with its next task. */
  lost(session: SlideSession): void {
    this.#briefs.forget(session);
    this.#tiles?.forget(session);
  }

  /** Its run is over: nothing of it stays in the streams. Never rejects. */
  async over(session: SlideSession): Promise<void> {
    this.#tiles?.forget(session);
    if (this.#options.bus.connected) await this.#drop(session);
  }

  /**
   * Lets go of what earlier starts left. To be called before slides are opened.
   *
   * @param isOpen whether a run will go on.
   */
  async sweep(isOpen: (slide: string, run: string) => boolean): Promise<void> {
    await this.#leftovers.dropTiles();
    for (const { slide, run } of await this.#leftovers.runs())
      if (!isOpen(slide, run)) await this.#leftovers.drop(slide, run);
  }

  async #drop({ slide, runToken }: SlideSession): Promise<void> {
    // Without an answer it stays until the next start.
    await this.#leftovers.drop(slide.id, runToken).catch(() => undefined);
  }
}
