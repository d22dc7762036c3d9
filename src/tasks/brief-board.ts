import type { EventBus } from '../event/bus.js';
import type { SlideSession } from '../stage/session.js';
import { type Brief, briefEvents, packBrief } from './brief.js';
import type { BriefName, WorkSubjects } from './task.js';

interface Posted {
  readonly packed: Buffer;
  readonly name: Promise<BriefName>;
}

/** The briefs of the slides whose patches are out. */
export class BriefBoard {
  readonly #bus: EventBus;
  readonly #subjects: WorkSubjects;
  readonly #briefOf: (session: SlideSession) => Brief;
  readonly #posted = new WeakMap<SlideSession, Posted>();
  #version = 0;

  constructor(bus: EventBus, subjects: WorkSubjects, briefOf: (session: SlideSession) => Brief) {
    this.#bus = bus;
    this.#subjects = subjects;
    this.#briefOf = briefOf;
  }

  /**
   * The brief that a task which is handed out now needs, published. Where the tiles of a slide that grows lie is in memory that reader threads
   * share with this one; workers get it as it is, and it has the tiles of every patch that is due. Rejects as publishing does.
   */
  async name(session: SlideSession): Promise<BriefName> {
    const before = this.#posted.get(session);
    if (before && !session.grows) return before.name;
    const packed = packBrief(this.#briefOf(session));
    if (before?.packed.equals(packed)) return before.name;
    // Greater than that of any earlier start: an old task keeps the brief that it was given.
    this.#version = Math.max(this.#version + 1, Date.now());
    const posted = { packed, name: this.#publish(session, packed, this.#version) };
    this.#posted.set(session, posted);
    return posted.name;
  }

  /** What was published may be lost: it is published again before it is named again. */
  forget(session: SlideSession): void {
    this.#posted.delete(session);
  }

  async #publish(session: SlideSession, packed: Buffer, version: number): Promise<BriefName> {
    const events = briefEvents(this.#subjects, { slide: session.slide.id, run: session.runToken, version }, packed);
    for (const event of events) await this.#bus.publish(event, session.failed);
    return { version, parts: events.length };
  }
}
