import { StromaflowError } from '../src/errors.js';
import type { PatchPlan } from '../src/read/patch.js';
import type { SlideHandle } from '../src/read/reader-pool.js';
import { isAddress } from '../src/slide/remote/address.js';
import type { ShippedDescription } from '../src/slide/shipped-source.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import { levelsOf } from '../src/slide/stored-bytes.js';
import { SlideSession } from '../src/stage/session.js';
import { createMemoryLedger } from '../src/store/memory-ledger.js';
import { openNoOutput } from '../src/store/no-output.js';
import { type Brief, mountBrief, movePaths, readBrief } from '../src/tasks/brief.js';
import { type Reach, reachSlide } from '../src/tasks/reach-slide.js';
import type { TakenTask } from '../src/tasks/task-queue.js';
import { TileMirror } from '../src/tasks/tile-mirror.js';
import type { Parts } from './parts.js';

/** Slides held open, of those that tasks were for last. */
const OPEN_SLIDES = 8;

/** Of a brief: a slide that grows has another whenever it grew. */
const keyOf = ({ task: { run, brief } }: TakenTask): string => `${run} ${brief.version}`;

/** A slide as tasks need it. */
interface OpenSlide {
  readonly session: SlideSession;
  /** Where its tiles are shipped: what of them is here. */
  readonly shipped?: { readonly mirror: TileMirror; readonly description: ShippedDescription };
}

interface Mirrored {
  readonly mirror: Promise<TileMirror>;
  /** Open slides that read there. */
  users: number;
}

/** The slides that tasks are for, opened in the reader threads; those of long ago are closed. */
export class WorkerSlides {
  readonly #parts: Parts;
  readonly #reach: Reach;
  readonly #briefs = new Map<string, Promise<Brief | undefined>>();
  readonly #open = new Map<string, Promise<OpenSlide>>();
  /** By run: what one brief's tasks brought, those of the next have. */
  readonly #mirrors = new Map<string, Mirrored>();
  readonly #closing = new Set<Promise<void>>();
  #shippedBytes = 0;

  constructor(parts: Parts, reach: Reach) {
    this.#parts = parts;
    this.#reach = reach;
  }

  /** Bytes of tiles that came. */
  get shippedBytes(): number {
    return this.#shippedBytes;
  }

  /** As ingest wrote it; undefined where it is gone. */
  async briefOf(taken: TakenTask): Promise<Brief | undefined> {
    const key = keyOf(taken);
    const known = this.#briefs.get(key);
    if (known) return known;
    const brief = taken.brief().then(parts => parts && readBrief(parts));
    this.#briefs.set(key, brief);
    brief.catch(() => this.#briefs.delete(key));
    return brief;
  }

  /** The slide of a task, with all that the task reads from here. Undefined where that is gone. */
  async open(taken: TakenTask): Promise<SlideSession | undefined> {
    const key = keyOf(taken);
    const known = this.#open.get(key);
    const opening = known ?? this.#begin(taken);
    // The last asked for stands last.
    this.#open.delete(key);
    this.#open.set(key, opening);
    if (!known) opening.catch(() => this.#forget(key));
    for (const oldest of [...this.#open.keys()].slice(0, -OPEN_SLIDES)) this.#forget(oldest);
    const { session, shipped } = await opening;
    if (!shipped) return session;
    const { mirror, description } = shipped;
    const { source, info, plan } = (await this.briefOf(taken))!;
    const before = mirror.bytes;
    const levels = levelsOf(source, info.levels);
    const isWhole = await mirror.bring(source, levels, plan, taken.task.patches, description, name =>
      taken.piece(name),
    );
    this.#shippedBytes += mirror.bytes - before;
    return isWhole ? session : undefined;
  }

  forget(taken: TakenTask): void {
    this.#forget(keyOf(taken));
  }

  async close(): Promise<void> {
    for (const key of [...this.#open.keys()]) this.#forget(key);
    await Promise.all(this.#closing);
  }

  #forget(key: string): void {
    const opening = this.#open.get(key);
    this.#open.delete(key);
    this.#briefs.delete(key);
    const closing = opening
      ?.then(async ({ session }) => {
        session.endOfDue();
        await session.drained;
        await session.close();
        await this.#leaveMirror(session.runToken);
      })
      .catch(() => undefined);
    if (!closing) return;
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  async #begin(taken: TakenTask): Promise<OpenSlide> {
    const { readers, models, events } = this.#parts;
    const { run, shipped: isShipped } = taken.task;
    const brief = await this.briefOf(taken);
    if (!brief) throw new StromaflowError('EVENTS_STREAM', `${taken.task.slide}: its brief is not in the stream`);
    const shipped = isShipped ? await this.#mirror(run, brief) : undefined;
    try {
      const { plan, rule } = brief;
      const slide = shipped
        ? { info: brief.info, source: shipped.description }
        : await reachSlide(mountBrief(brief, this.#folder), this.#reach);
      const { info } = slide;
      const reader = await openReader(readers, slide, plan, rule);
      const key = { slide: info.id, fingerprint: info.fingerprint, modelVersion: '', plan: '' };
      const session = new SlideSession({
        ...{ slide: info, plan, reader, events, runToken: run },
        output: await openNoOutput({ folder: '' }),
        run: await createMemoryLedger().run(key),
        model: models.current,
      });
      return { session, ...(shipped ? { shipped } : {}) };
    } catch (error) {
      await this.#leaveMirror(run);
      throw error;
    }
  }

  /** Where the slides' folder is mounted. */
  get #folder(): string | undefined {
    const { mounted } = this.#reach;
    return mounted !== undefined && isAddress(mounted) ? undefined : mounted;
  }

  async #mirror(run: string, brief: Brief): Promise<NonNullable<OpenSlide['shipped']>> {
    const mirrored = this.#mirrors.get(run) ?? { mirror: TileMirror.create(), users: 0 };
    this.#mirrors.set(run, mirrored);
    mirrored.users += 1;
    try {
      const mirror = await mirrored.mirror;
      const inner = movePaths(brief.source, mirror.place);
      return { mirror, description: await mirror.describe(inner, levelsOf(inner, brief.info.levels)) };
    } catch (error) {
      await this.#leaveMirror(run);
      throw error;
    }
  }

  /** The last one deletes it. */
  async #leaveMirror(run: string): Promise<void> {
    const mirrored = this.#mirrors.get(run);
    if (!mirrored || --mirrored.users > 0) return;
    this.#mirrors.delete(run);
    await (await mirrored.mirror.catch(() => undefined))?.remove();
  }
}

/** Whoever closes the reader closes what it fetches through. */
async function openReader(
  readers: Parts['readers'],
  slide: OpenedSlide,
  plan: PatchPlan,
  rule: Brief['rule'],
): Promise<SlideHandle> {
  const { remote } = slide;
  try {
    const reader = await readers.open(slide, plan, rule);
    return {
      read: (ref, slot, signal) => reader.read(ref, slot, signal),
      reopen: openings => reader.reopen(openings),
      get openings() {
        return reader.openings;
      },
      close: async () => {
        await reader.close();
        remote?.close();
      },
    };
  } catch (error) {
    remote?.close();
    throw error;
  }
}
