import { ERRORS, type ErrorCode, StromaflowError, toStromaflowError } from '../errors.js';
import type { BusEvent } from '../event/bus.js';
import { checkPrefix, escapeToken, type Origin } from '../event/subjects.js';
import type { PatchRecord } from '../read/patch.js';

/** Patches of one slide, for one worker. */
export interface Task {
  readonly slide: string;
  /** Names the run in events. */
  readonly run: string;
  /** How the slide is read: which of its briefs, and in how many parts it is. */
  readonly brief: BriefName;
  /** Its tiles are in the stream of tiles, for whoever has no file of the slide. */
  readonly shipped?: true;
  /** Places in the plan's grid: column, row. */
  readonly patches: readonly (readonly [col: number, row: number])[];
}

/** Of a slide that grows there is another whenever it grew. */
export interface BriefName {
  readonly version: number;
  readonly parts: number;
}

/** What came of one patch. */
export interface PatchResult {
  readonly record: PatchRecord;
  /** 1-bit PNG of the core, of one that was segmented. */
  readonly png?: Uint8Array;
  /** Of one that failed. */
  readonly failure?: {
    readonly stage: 'read' | 'infer';
    readonly attempts: number;
    readonly error: StromaflowError;
  };
}

export interface Outcome {
  readonly slide: string;
  readonly run: string;
  readonly results: readonly PatchResult[];
}

/** Subjects of the work of one scanner. */
export class WorkSubjects {
  readonly #base: string;
  readonly source: string;

  constructor(prefix: string, { site, scanner }: Origin) {
    this.#base = `${checkPrefix(prefix)}.${escapeToken(site)}.${escapeToken(scanner)}`;
    this.source = `/stromaflow/${encodeURIComponent(site)}/${encodeURIComponent(scanner)}`;
  }

  brief(slide: string, run: string, version: number, part: number): string {
    return `${this.#base}.brief.${slide}.${run}.${version}.${part}`;
  }

  /** Pattern of a run's briefs, or of the parts of one. */
  briefs(slide: string, run: string, version: number | '*' = '*'): string {
    return `${this.#base}.brief.${slide}.${run}.${version}.*`;
  }

  get allBriefs(): string {
    return `${this.#base}.brief.>`;
  }

  /** A piece of a slide's files, or a part of one that is large. */
  tile(slide: string, run: string, piece: string, part: number | '*'): string {
    return `${this.#base}.tile.${slide}.${run}.${piece}.${part}`;
  }

  /** Pattern of a run's tiles, or of all. */
  tiles(slide?: string, run?: string): string {
    return `${this.#base}.tile.${slide === undefined ? '>' : `${slide}.${run}.>`}`;
  }

  /** The model stands in it, so that a worker gets what its own model can do and leaves the rest. */
  task(modelVersion: string | '*', slide: string): string {
    return `${this.#base}.task.${modelVersion === '*' ? '*' : escapeToken(modelVersion)}.${slide}`;
  }

  outcome(slide: string): string {
    return `${this.#base}.outcome.${slide}`;
  }

  get outcomes(): string {
    return `${this.#base}.outcome.*`;
  }
}

/** Tasks that any worker with this model may take. */
export const tasksFor = (prefix: string, modelVersion: string): string =>
  `${checkPrefix(prefix)}.*.*.task.${escapeToken(modelVersion)}.*`;

/** Subjects of the task's brief and outcome, beside its own. */
export function besides(
  taskSubject: string,
  { slide, run, brief }: Task,
): { brief(part: number): string; outcome: string; tile(piece: string, part: number): string } {
  const base = taskSubject.split('.').slice(0, -3).join('.');
  return {
    brief: part => `${base}.brief.${slide}.${run}.${brief.version}.${part}`,
    outcome: `${base}.outcome.${slide}`,
    tile: (piece, part) => `${base}.tile.${slide}.${run}.${piece}.${part}`,
  };
}

export function taskEvent(subjects: WorkSubjects, modelVersion: string, task: Task): BusEvent {
  const { slide, run, patches } = task;
  return event(subjects.task(modelVersion, slide), subjects.source, 'task', {
    id: `${slide}@${run}/task/${patches.map(place => place.join('-')).join('/')}`,
    slide,
    run,
    data: json(task),
  });
}

export const readTask = (data: Uint8Array): Task => parse<Task>(data);

/** Most bytes of one message of outcomes: a mask is 33 kB at most, and max_payload 1 MB unless somebody lowered it. */
const OUTCOME_BYTES = 700_000;

/** As many events as they need: together they may be larger than one. */
export function outcomeEvents(subject: string, source: string, { slide, run, results }: Outcome): BusEvent[] {
  const events: BusEvent[] = [];
  const wires = results.map(({ record, png, failure }) => ({
    record,
    ...(png ? { png: Buffer.from(png).toString('base64') } : {}),
    ...(failure ? { failure: { ...failure, error: wireOf(failure.error) } } : {}),
  }));
  let open: typeof wires = [];
  let bytes = 0;
  const seal = (): void => {
    if (open.length === 0) return;
    const places = open.map(({ record: { col, row } }) => `${col}-${row}`).join('/');
    const id = `${slide}@${run}/outcome/${places}`;
    events.push(event(subject, source, 'outcome', { id, slide, run, data: json({ slide, run, results: open }) }));
    open = [];
    bytes = 0;
  };
  for (const wire of wires) {
    const size = (wire.png?.length ?? 0) + 1000;
    if (bytes + size > OUTCOME_BYTES) seal();
    open.push(wire);
    bytes += size;
  }
  seal();
  return events;
}

export function readOutcome(data: Uint8Array): Outcome {
  const { slide, run, results } = parse<{ slide: string; run: string; results: WireResult[] }>(data);
  return {
    slide,
    run,
    results: results.map(({ record, png, failure }) => ({
      record,
      ...(png === undefined ? {} : { png: new Uint8Array(Buffer.from(png, 'base64')) }),
      ...(failure ? { failure: { ...failure, error: fromWire(failure.error) } } : {}),
    })),
  };
}

interface WireResult {
  readonly record: PatchRecord;
  readonly png?: string;
  readonly failure?: {
    stage: 'read' | 'infer';
    attempts: number;
    error: { code: string; message: string; fix: string };
  };
}

const wireOf = ({ code, message, fix }: StromaflowError) => ({ code, message, fix });

const fromWire = ({ code, message, fix }: { code: string; message: string; fix: string }): StromaflowError =>
  new StromaflowError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ENGINE_FAILED', message, { fix });

export function event(
  subject: string,
  source: string,
  kind: string,
  { id, slide, run, data, ...more }: { id: string; slide: string; run: string; data: Uint8Array; size?: string },
): BusEvent {
  return {
    ...{ subject, source, id, data },
    type: `stromaflow.${kind}.v1`,
    time: new Date().toISOString(),
    contentType: kind === 'brief' || kind === 'tile' ? 'application/octet-stream' : 'application/json',
    extensions: { slide, run, ...more },
  };
}

const json = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function parse<T>(data: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data)) as T;
  } catch (cause) {
    throw toStromaflowError(cause, 'EVENT_INVALID', 'a message of shared work');
  }
}
