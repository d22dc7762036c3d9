import { type OperatorFunction, tap } from 'rxjs';
import type { PatchRef } from '../read/patch.js';
import type { Span, Tracer } from '../trace/tracer.js';
import type { CreditedPatch, SettledPatch } from './item.js';

type Traced = Pick<CreditedPatch, 'session' | 'ref' | 'dueAt' | 'again'>;

/** When the first patch of a batch came to a stage, and the last left it; milliseconds of performance.now(). */
interface Stay {
  from: number;
  to: number;
}

interface Batch {
  readonly span: Span;
  readonly parts: Map<string, Stay>;
  /** Patches that have not left the graph. */
  left: number;
}

/**
 * The spans of a graph's batches: one each, from the moment its first patch was due to the moment its last left the graph, with one for each stage. The slide
 * is their parent; of a batch of several slides it is the first patch's, and the others are linked.
 */
export class PatchTraces {
  readonly #batches = new WeakMap<PatchRef, Batch>();
  /** Of patches that have been in no batch yet. */
  readonly #read = new WeakMap<PatchRef, Stay>();
  readonly #tracer: Tracer | undefined;
  readonly #name: string;
  readonly #within: string;

  /** `tracer` absent: nothing is kept, and stages are as they are; `name`: of a batch; `within`: the stage that makes them. */
  constructor(tracer: Tracer | undefined, name: 'batch' | 'task' = 'batch', within = 'segment') {
    this.#tracer = tracer;
    this.#name = name;
    this.#within = within;
  }

  /** The stage, with the time that patches spend in it kept. */
  stage<T extends Traced, U extends Traced>(name: string, operator: OperatorFunction<T, U>): OperatorFunction<T, U> {
    if (!this.#tracer) return operator;
    return patch$ =>
      patch$.pipe(
        tap(patch => this.#entered(name, patch)),
        operator,
        tap(patch => this.#left(name, patch)),
      );
  }

  /** Patches that go through the rest of the graph as one. */
  batched(patches: readonly Traced[]): void {
    const tracer = this.#tracer;
    if (!tracer) return;
    const now = performance.now();
    const kept = patches.filter(({ session }) => session.trace?.sampled);
    const trace = kept[0]?.session.trace;
    const weight = trace?.weighNext() ?? 0;
    if (!trace || weight === 0) return;
    const others = new Set(kept.map(({ session }) => session.trace!.traceparent));
    others.delete(trace.traceparent);
    const at = Math.min(...patches.map(({ dueAt }) => dueAt));
    const span = tracer.start(this.#name, {
      parent: trace.traceparent,
      links: [...others],
      at,
      attributes: {
        'stromaflow.patches': patches.length,
        ...(weight > 1 ? { 'stromaflow.stands_for': weight } : {}),
      },
    });
    // Those that are there for their neighbours alone leave the graph on their way.
    const own = patches.filter(({ again }) => !again);
    const parts = new Map([[this.#within, { from: now, to: now }]]);
    const batch: Batch = { span, parts, left: own.length };
    this.#takeOver(batch, patches, at, now);
    for (const { ref } of own) this.#batches.set(ref, batch);
    if (own.length === 0) this.#finish(batch);
  }

  /** The stage at the end of the graph: a batch whose last patch leaves it is over. */
  lastStage<T extends Traced, U extends Traced & Pick<SettledPatch, 'failure'>>(
    name: string,
    operator: OperatorFunction<T, U>,
  ): OperatorFunction<T, U> {
    if (!this.#tracer) return operator;
    const stage = this.stage(name, operator);
    return patch$ => stage(patch$).pipe(tap(patch => this.#leaves(patch)));
  }

  /** What an event of the patch is part of: its batch, else its slide; undefined where nothing is traced. */
  traceparentOf({ ref, session }: Traced): string | undefined {
    return this.#batches.get(ref)?.span.traceparent ?? session.trace?.traceparent;
  }

  #leaves({ ref, session, failure }: Traced & Pick<SettledPatch, 'failure'>): void {
    if (failure) {
      const { stage, error, attempts } = failure;
      session.trace?.event('patch failed', { stage, code: error.code, attempts, col: ref.col, row: ref.row });
    }
    const batch = this.#batches.get(ref);
    if (!batch) return;
    this.#batches.delete(ref);
    batch.left -= 1;
    if (batch.left === 0) this.#finish(batch);
  }

  #entered(name: string, { ref, session }: Traced): void {
    if (!session.trace?.sampled) return;
    const now = performance.now();
    const batch = this.#batches.get(ref);
    if (!batch) {
      if (name === 'read') this.#read.set(ref, { from: now, to: now });
      return;
    }
    const stay = batch.parts.get(name);
    if (!stay) batch.parts.set(name, { from: now, to: now });
  }

  #left(name: string, patch: Traced): void {
    const { ref, session } = patch;
    if (!session.trace?.sampled) return;
    const now = performance.now();
    const batch = this.#batches.get(ref);
    // What no batch has is read, or fails.
    const stay = batch ? batch.parts.get(name) : this.#read.get(ref);
    if (stay) stay.to = now;
  }

  /** What was before the batch: how long its patches waited for a slot, were read, and waited for each other. */
  #takeOver({ parts }: Batch, patches: readonly Traced[], at: number, now: number): void {
    const reads = patches.flatMap(({ ref }) => this.#read.get(ref) ?? []);
    for (const { ref } of patches) this.#read.delete(ref);
    if (reads.length === 0) return;
    const from = Math.min(...reads.map(read => read.from));
    parts.set('wait', { from: at, to: Math.max(...reads.map(read => read.from)) });
    parts.set('read', { from, to: Math.max(...reads.map(({ to }) => to)) });
    parts.set('fill', { from: Math.min(...reads.map(({ to }) => to)), to: now });
  }

  #finish({ span, parts }: Batch): void {
    for (const [name, { from, to }] of parts)
      this.#tracer?.start(name, { parent: span.traceparent, at: from, sends: name === 'publish' }).end({ at: to });
    span.end();
  }
}
