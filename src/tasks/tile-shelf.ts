import { setTimeout as sleep } from 'node:timers/promises';
import { StromaflowError } from '../errors.js';
import type { BusEvent, EventBus } from '../event/bus.js';
import { visitTiles } from '../read/visit-tiles.js';
import type { TileSourceDescription } from '../slide/slide.js';
import { levelsOf, type StoredPiece, storedPieces } from '../slide/stored-bytes.js';
import { isUnwritten } from '../slide/unwritten.js';
import type { CreditedPatch } from '../stage/item.js';
import type { SlideSession } from '../stage/session.js';
import type { Leftovers } from './leftovers.js';
import { type PieceBytes, pieceEvents, pieceName, readPiece } from './pieces.js';
import type { WorkSubjects } from './task.js';
import { patchesOf } from './touching.js';

export interface TileShelfOptions {
  readonly bus: EventBus;
  readonly subjects: WorkSubjects;
  readonly leftovers: Leftovers;
  /** Most bytes that are in the stream at a time, but for a single task that needs more. */
  readonly limitBytes: number;
  /** Most bytes of a message: the server's max_payload without room for headers. */
  readonly partBytes: () => number;
}

/** A piece in the stream. */
interface Shelved {
  readonly session: SlideSession;
  readonly piece: string;
  readonly bytes: number;
  /** Of what has no bytes: it may get some. */
  readonly lacks: 'absent' | 'unread' | undefined;
  /** Something of it was written: else its tile is drawn from finer ones. */
  readonly isStored: boolean;
  /** Tile of the plan's level, or all of them; undefined of finer ones. */
  readonly place: { readonly col: number; readonly row: number } | 'all' | undefined;
  readonly stored: Promise<void>;
  /** Patches that are out and need it. */
  users: number;
}

interface Run {
  readonly shelved: Map<string, Shelved>;
  /** By patch that is out: what it needs. */
  readonly needs: Map<string, readonly Shelved[]>;
  readonly settled: Set<string>;
}

const FULL_MS = 500;

/**
 * The tiles that workers without the slide's folder read, in the stream of tiles: as they lie on disk, each once, from the first task that needs
 * it until the last patch that does has its outcome. Bounded: a task waits for room, and what only later tasks will need makes room.
 */
export class TileShelf {
  readonly #options: TileShelfOptions;
  readonly #runs = new Map<SlideSession, Run>();
  #turn: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #inUse = 0;
  #shippedBytes = 0;
  #room: (() => void)[] = [];
  /** What the task that is being shipped needs and has there already. */
  readonly #pinned = new Set<Shelved>();
  /** Pieces on their way out: what is put there again goes after them. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(options: TileShelfOptions) {
    this.#options = options;
  }

  /** Bytes of tiles that were put into the stream since the start. */
  get shippedBytes(): number {
    return this.#shippedBytes;
  }

  /**
   * Resolves once the server has all that the patches are read from.
   *
   * @param source as the task's brief has it.
   * @throws SLIDE_UNSUPPORTED, BUS_PUBLISH, or the session's failure.
   */
  async ship(session: SlideSession, source: TileSourceDescription, patches: readonly CreditedPatch[]): Promise<void> {
    // One at a time: what is read waits in memory until there is room for it.
    const before = this.#turn;
    let next: () => void = () => undefined;
    this.#turn = new Promise<void>(done => {
      next = done;
    });
    await before;
    try {
      session.failed.throwIfAborted();
      const run = this.#run(session);
      const found = new Map<string, { bytes: PieceBytes; place: Shelved['place'] }>();
      const needed = new Map<CreditedPatch, Set<string>>();
      for (const patch of patches) needed.set(patch, await this.#find(session, source, patch, run, found));
      // What is there already must not make room for what is to come.
      for (const pieces of needed.values())
        for (const piece of pieces) {
          const shelved = run.shelved.get(piece);
          if (shelved) this.#pinned.add(shelved);
        }
      const sizes = [...found.values()].map(({ bytes }) => (typeof bytes === 'string' ? 0 : bytes.length));
      await this.#makeRoom(
        sizes.reduce((sum, size) => sum + size, 0),
        session.failed,
      );
      for (const [piece, { bytes, place }] of found) this.#put(session, run, piece, bytes, place);
      for (const [patch, pieces] of needed) {
        const all = [...pieces].map(piece => run.shelved.get(piece)!);
        for (const shelved of all) this.#use(shelved);
        run.needs.set(keyOf(patch), all);
      }
    } finally {
      this.#pinned.clear();
      next();
    }
    const all = patches.flatMap(patch => this.#runs.get(session)?.needs.get(keyOf(patch)) ?? []);
    await Promise.all(new Set(all.map(({ stored }) => stored)));
  }

  /** A patch has its outcome. */
  settled(patch: CreditedPatch): void {
    const run = this.#runs.get(patch.session);
    const needs = run?.needs.get(keyOf(patch));
    if (!run || !needs) return;
    run.needs.delete(keyOf(patch));
    run.settled.add(keyOf(patch));
    for (const shelved of needs) {
      this.#unuse(shelved);
      if (shelved.users === 0 && !this.#pinned.has(shelved) && !this.#isWantedLater(shelved, run))
        this.#drop(shelved, run);
    }
  }

  /** Its slide is over, or what was put there may be lost: nothing of it counts any more. */
  forget(session: SlideSession): void {
    const run = this.#runs.get(session);
    this.#runs.delete(session);
    for (const shelved of run?.shelved.values() ?? []) this.#free(shelved);
  }

  #run(session: SlideSession): Run {
    const run = this.#runs.get(session) ?? { shelved: new Map(), needs: new Map(), settled: new Set() };
    this.#runs.set(session, run);
    return run;
  }

  /** Names of what a patch needs; reads what is not shelved yet. */
  async #find(
    session: SlideSession,
    source: TileSourceDescription,
    { ref }: CreditedPatch,
    run: Run,
    found: Map<string, { bytes: PieceBytes; place: Shelved['place'] }>,
  ): Promise<Set<string>> {
    const needed = new Set<string>();
    const piecesOf = storedPieces(source);
    const { plan } = session;
    await visitTiles(levelsOf(source, session.slide.levels), plan, ref, async (level, col, row) => {
      let isStored = false;
      const own = level === plan.level ? { col, row } : undefined;
      for (const stored of piecesOf(level, col, row)) {
        const place = stored.isShared ? 'all' : own;
        const piece = pieceName(stored);
        needed.add(piece);
        const known = run.shelved.get(piece);
        const seen = found.get(piece)?.bytes;
        const bytes = seen ?? (known && !known.lacks ? undefined : await this.#read(session, stored));
        if (bytes === undefined || bytes === known?.lacks) {
          isStored ||= known!.isStored;
          continue;
        }
        found.set(piece, { bytes, place });
        isStored ||= isWritten(bytes);
      }
      return isStored;
    });
    return needed;
  }

  /** A share that is away is waited for. */
  async #read({ folder, failed }: SlideSession, stored: StoredPiece): Promise<PieceBytes> {
    for (;;) {
      const outages = folder?.outages;
      const bytes = await readPiece(stored);
      const wasAway = folder !== undefined && (folder.isAway() || folder.outages !== outages);
      if (typeof bytes !== 'string' || !wasAway || !(await folder.back(failed))) return bytes;
    }
  }

  #put(session: SlideSession, run: Run, piece: string, bytes: PieceBytes, place: Shelved['place']): void {
    const { subjects, partBytes } = this.#options;
    const named = { slide: session.slide.id, run: session.runToken, piece };
    const events = pieceEvents(subjects, named, bytes, partBytes());
    const size = typeof bytes === 'string' ? 0 : bytes.length;
    const lacks = typeof bytes === 'string' ? bytes : undefined;
    const after = this.#leaving.get(`${named.run} ${piece}`);
    const stored = Promise.all(events.map(event => this.#publish(event, session, after))).then(() => undefined);
    stored.catch(() => undefined);
    this.#bytes += size;
    this.#shippedBytes += size;
    run.shelved.set(piece, { session, piece, bytes: size, lacks, isStored: isWritten(bytes), place, stored, users: 0 });
  }

  /** A stream that is full is waited for: other ingests may have filled it. */
  async #publish(event: BusEvent, { failed }: SlideSession, after: Promise<void> | undefined): Promise<void> {
    await after;
    for (;;) {
      try {
        return await this.#options.bus.publish(event, failed);
      } catch (error) {
        if (!(error instanceof StromaflowError && error.code === 'EVENTS_FULL')) throw error;
        await sleep(FULL_MS, undefined, { signal: failed }).catch(() => {
          throw failed.reason;
        });
      }
    }
  }

  async #makeRoom(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#bytes + bytes > this.#options.limitBytes) {
      const idle = this.#idle();
      if (idle) this.#drop(idle.shelved, idle.run);
      else if (this.#inUse === 0) return;
      else await this.#wait(signal);
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#room.push(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }

  /** What only later tasks will need, the oldest first. */
  #idle(): { shelved: Shelved; run: Run } | undefined {
    for (const run of this.#runs.values())
      for (const shelved of run.shelved.values())
        if (shelved.users === 0 && !this.#pinned.has(shelved)) return { shelved, run };
    return undefined;
  }

  #isWantedLater({ session, place }: Shelved, run: Run): boolean {
    if (!place) return false;
    if (place === 'all') return !session.aggregate.complete;
    for (const { col, row } of patchesOf(session.plan, session.slide.levels[session.plan.level]!, place)) {
      const isDone = session.aggregate.has(col, row) || run.settled.has(`${col} ${row}`);
      if (!isDone) return true;
    }
    return false;
  }

  #use(shelved: Shelved): void {
    if (shelved.users++ === 0) this.#inUse += shelved.bytes;
  }

  #unuse(shelved: Shelved): void {
    if (--shelved.users > 0) return;
    this.#inUse -= shelved.bytes;
    this.#tellRoom();
  }

  #drop(shelved: Shelved, run: Run): void {
    // What it lacked came meanwhile, under the same name.
    if (run.shelved.get(shelved.piece) !== shelved) return;
    run.shelved.delete(shelved.piece);
    this.#free(shelved);
    const { slide, runToken } = shelved.session;
    const key = `${runToken} ${shelved.piece}`;
    const leaving = this.#options.leftovers
      .dropTile(slide.id, runToken, shelved.piece)
      // What stays is let go of with the run.
      .catch(() => undefined)
      .finally(() => this.#leaving.delete(key));
    this.#leaving.set(key, leaving);
  }

  #free(shelved: Shelved): void {
    this.#bytes -= shelved.bytes;
    if (shelved.users > 0) this.#inUse -= shelved.bytes;
    this.#tellRoom();
  }

  #tellRoom(): void {
    for (const told of this.#room.splice(0)) told();
  }
}

const isWritten = (bytes: PieceBytes): boolean =>
  bytes === 'unread' || (typeof bytes !== 'string' && bytes.length > 0 && !isUnwritten(bytes));

const keyOf = ({ ref: { col, row } }: CreditedPatch): string => `${col} ${row}`;
