import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { workLayouts } from '../event/stream/layout.js';
import type { WorkSubjects } from './task.js';

/** What the streams of shared work keep of a slide, until it is let go of. */
export class Leftovers {
  readonly #connection: NatsConnection;
  readonly #streams: ReturnType<typeof workLayouts>;
  readonly #subjects: WorkSubjects;
  #manager: JetStreamManager | undefined;

  constructor(connection: NatsConnection, prefix: string, subjects: WorkSubjects) {
    this.#connection = connection;
    this.#streams = workLayouts(prefix);
    this.#subjects = subjects;
  }

  /** All of a run: its tasks first, so that none is left whose brief is gone. Rejects while the server is away. */
  async drop(slide: string, run: string): Promise<void> {
    await this.#purge('tasks', this.#subjects.task('*', slide));
    await this.#purge('briefs', this.#subjects.briefs(slide, run));
    await this.#purge('tiles', this.#subjects.tiles(slide, run));
  }

  /** A piece that no patch needs any more. */
  async dropTile(slide: string, run: string, piece: string): Promise<void> {
    await this.#purge('tiles', this.#subjects.tile(slide, run, piece, '*'));
  }

  /** Those of all runs: of a start that is over nobody knows which are whole. */
  async dropTiles(): Promise<void> {
    await this.#purge('tiles', this.#subjects.tiles());
  }

  /** A brief that no task names any more. */
  async dropBrief(slide: string, run: string, version: number): Promise<void> {
    await this.#purge('briefs', this.#subjects.briefs(slide, run, version));
  }

  /** Runs of this scanner of which there are briefs. */
  async runs(): Promise<readonly { readonly slide: string; readonly run: string }[]> {
    const manager = await this.#manage();
    const options = { subjects_filter: this.#subjects.allBriefs };
    const { state } = await manager.streams.info(this.#streams.briefs.name, options);
    const found = new Map<string, { slide: string; run: string }>();
    for (const subject of Object.keys(state.subjects ?? {})) {
      const [slide, run] = subject.split('.').slice(-4) as [string, string, string, string];
      found.set(`${slide} ${run}`, { slide, run });
    }
    return [...found.values()];
  }

  async #purge(kind: 'tasks' | 'briefs' | 'tiles', filter: string): Promise<void> {
    const manager = await this.#manage();
    await manager.streams.purge(this.#streams[kind].name, { filter });
  }

  async #manage(): Promise<JetStreamManager> {
    this.#manager ??= await jetstreamManager(this.#connection, { checkAPI: false });
    return this.#manager;
  }
}
