import type { Attributes, Span, Tracer } from '../trace/tracer.js';

/** Batches that are traced one by one before fewer are: of many more, collectors cut a trace off. */
const EACH = 512;

/** A slide in traces: its span, or that of another process, is the parent of all that is done for it. */
export class SlideTrace {
  /** Of the events that are of the slide as a whole. */
  readonly traceparent: string;
  /** Its parts are kept. */
  readonly sampled: boolean;
  readonly #tracer: Tracer;
  readonly #span: Span | undefined;
  #known: Attributes = {};
  #batches = 0;

  private constructor(tracer: Tracer, traceparent: string, sampled: boolean, span?: Span) {
    this.#tracer = tracer;
    this.traceparent = traceparent;
    this.sampled = sampled;
    this.#span = span;
  }

  static begin(tracer: Tracer, attributes: Attributes): SlideTrace {
    const span = tracer.start('slide', { attributes });
    return new SlideTrace(tracer, span.traceparent, span.sampled, span);
  }

  /** Of a slide whose span another process has. */
  static below(tracer: Tracer, traceparent: string): SlideTrace {
    return new SlideTrace(tracer, traceparent, traceparent.endsWith('1'));
  }

  /** A part that is not one of its batches'. */
  part(name: string): Span {
    return this.#tracer.start(name, { parent: this.traceparent });
  }

  /**
   * How many batches the next one stands for in the trace, 0 where it is left to another: each stands for itself at first, and for twice as many after every 512 that were
   * kept, so that the trace of a slide of any size is bounded.
   */
  weighNext(): number {
    const weight = 2 ** Math.floor(Math.log2(Math.max(1, this.#batches / EACH + 1)));
    const isTurn = (this.#batches - EACH * (weight - 1)) % weight === 0;
    this.#batches += 1;
    return isTurn ? weight : 0;
  }

  /** What is known of it by now; its span has it in the end. */
  know(attributes: Attributes): void {
    this.#known = { ...this.#known, ...attributes };
  }

  event(name: string, attributes: Attributes): void {
    this.#span?.event(name, attributes);
  }

  end(attributes: Attributes, error?: string): void {
    this.#span?.end({ attributes: { ...this.#known, ...attributes }, ...(error === undefined ? {} : { error }) });
  }
}
