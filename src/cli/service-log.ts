import type { EventBus } from '../event/bus.js';
import type { SlideSession } from '../stage/session.js';
import type { Terminal } from './terminal.js';

/** What a service says besides its results: each slide that is opened, and the bus when it goes and comes back. */
export class ServiceLog {
  readonly #terminal: Pick<Terminal, 'line' | 'json' | 'problem'>;
  readonly #bus: Pick<EventBus, 'description' | 'connected'>;
  #connected = true;

  constructor(terminal: Pick<Terminal, 'line' | 'json' | 'problem'>, bus: Pick<EventBus, 'description' | 'connected'>) {
    this.#terminal = terminal;
    this.#bus = bus;
  }

  opened({ slide, plan, resumedPatches }: Pick<SlideSession, 'slide' | 'plan' | 'resumedPatches'>): void {
    const { id, format, levels, mpp, notes = [] } = slide;
    const { width, height } = levels[0]!;
    const patches = plan.cols * plan.rows;
    const before = resumedPatches > 0 ? `, ${resumedPatches} of them done before` : '';
    this.#terminal.line(
      `${id}: opened, ${format}, ${width} × ${height} px at ${Number(mpp.toPrecision(4))} µm, ${patches} patches${before}`,
    );
    for (const note of notes) this.#terminal.line(`${id}: ${note.message}`);
    this.#terminal.json({ event: 'opened', slide: id, format, width, height, mpp, patches, resumedPatches, notes });
  }

  /** Looks whether the bus went or came back since the last look. */
  look(): void {
    const { connected, description } = this.#bus;
    if (connected === this.#connected) return;
    this.#connected = connected;
    const what = connected ? 'is back' : 'is away: events wait for it';
    if (connected) this.#terminal.line(`bus        ${description} ${what}`);
    else this.#terminal.problem(`bus        ${description} ${what}`);
    this.#terminal.json({ event: connected ? 'bus-back' : 'bus-away', bus: description });
  }
}
