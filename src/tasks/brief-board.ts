import type { EventBus } from '../event/bus.js';
import type { SlideSession } from '../stage/session.js';
import { type Brief, briefEvents, packBrief, unpackBrief } from './brief.js';
import type { BriefName, WorkSubjects } from './task.js';

interface Posted {
  readonly packed: Buffer;
  readonly version: number;
  readonly name: Promise<BriefName>;
  brief?: Brief;
}

/** The briefs of the slides whose patches are out. */
export class BriefBoard {
  readonly #bus: EventBus;
  readonly #subjects: WorkSubjects;
  readonly #briefOf: (session: SlideSession) => Brief;
  readonly #posted = new WeakMap<SlideSession, Posted>();
  readonly #onSuperseded: (session: SlideSession, version: number) => void;
  /** Patches that are out, by version; of a slide that was handed out again nobody knows which tasks are still in the queue. */
  readonly #inUse = new WeakMap<SlideSession, Map<number, number> | 'unknown'>();
  #version = 0;

  /** @param onSuperseded told of a version that no task names any more, nor will. */
  constructor(
    bus: EventBus,
    subjects: WorkSubjects,
    briefOf: (session: SlideSession) => Brief,
    onSuperseded: (session: SlideSession, version: number) => void,
  ) {
    this.#bus = bus;
    this.#subjects = subjects;
    this.#briefOf = briefOf;
    this.#onSuperseded = onSuperseded;
  }

  /**
   * The brief that a task of so many patches which is handed out now needs, published. Where the tiles of a slide that grows lie is in memory that reader threads
   * share with this one; workers get it as it is, and it has the tiles of every patch that is due. Rejects as publishing does.
   */
  name(session: SlideSession, patches: number): Promise<BriefName> {
    const before = this.#posted.get(session);
    const { version, name } = this.#post(session, before);
    // At once, so that no version goes while a task that names it is on its way.
    this.#use(session, version, patches);
    if (before && before.version !== version) this.#use(session, before.version, 0);
    return name;
  }

  #post(session: SlideSession, before: Posted | undefined): Posted {
    if (before && !session.grows) return before;
    const packed = packBrief(this.#briefOf(session));
    if (before?.packed.equals(packed)) return before;
    // Greater than that of any earlier start: an old task keeps the brief that it was given.
    this.#version = Math.max(this.#version + 1, Date.now());
    const posted = { packed, version: this.#version, name: this.#publish(session, packed, this.#version) };
    this.#posted.set(session, posted);
    return posted;
  }

  /** The newest brief of a session as workers have it: of a slide that grows there is more by now. */
  snapshot(session: SlideSession): Brief {
    const posted = this.#posted.get(session)!;
    posted.brief ??= unpackBrief(posted.packed);
    return posted.brief;
  }

  /** A patch whose task named this version has its outcome. */
  back(session: SlideSession, version: number): void {
    this.#use(session, version, -1);
  }

  /** What was published may be lost: it is published again before it is named again. */
  forget(session: SlideSession): void {
    this.#posted.delete(session);
    this.#inUse.set(session, 'unknown');
  }

  #use(session: SlideSession, version: number, change: number): void {
    const inUse = this.#inUse.get(session) ?? new Map<number, number>();
    if (inUse === 'unknown') return;
    this.#inUse.set(session, inUse);
    const patches = (inUse.get(version) ?? 0) + change;
    inUse.set(version, patches);
    if (patches > 0 || this.#posted.get(session)?.version === version) return;
    inUse.delete(version);
    this.#onSuperseded(session, version);
  }

  async #publish(session: SlideSession, packed: Buffer, version: number): Promise<BriefName> {
    const events = briefEvents(this.#subjects, { slide: session.slide.id, run: session.runToken, version }, packed);
    for (const event of events) await this.#bus.publish(event, session.failed);
    return { version, parts: events.length };
  }
}
