import { checkPrefix } from '../subjects.js';

/** How long and how much the streams keep. Everything here may be changed on a stream that is there, but `storage`. */
export interface StreamLimits {
  /** Days after which an event is dropped. @default 30 */
  readonly days: number;
  /** Most bytes of masks; undefined: what the server allows. A stream of masks that is full takes no more. */
  readonly bytes?: number | undefined;
  /** Copies in a cluster. @default 1 */
  readonly replicas: number;
  readonly storage: 'file' | 'memory';
}

export const DEFAULT_LIMITS: StreamLimits = { days: 30, replicas: 1, storage: 'file' };

/** Within this time, in seconds, a repeat is known by its id; after it by its subject. */
export const DUPLICATE_SECONDS = 600;

export const STREAM_KINDS = ['masks', 'latest', 'slides'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

/** Of several machines that share the work. */
export const WORK_KINDS = ['briefs', 'tasks', 'outcomes', 'tiles'] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

/** What a stream must be, in the words of JetStream's API. */
export interface StreamLayout {
  readonly kind: StreamKind | WorkKind;
  readonly name: string;
  readonly subjects: readonly string[];
  /** Marks the stream as one of ours: JetStream before 2.10 keeps no metadata. */
  readonly description: string;
  /** Of a subject; -1: any number. */
  readonly perSubject: number;
  /** What a full stream, or subject, does: refuse what is new, or drop what is old. */
  readonly discard: 'new' | 'old';
  /** 'workqueue': a message is gone when it is acknowledged. */
  readonly retention: 'limits' | 'workqueue';
}

/**
 * The streams of the event contract below one prefix (docs/decisions/0032-three-streams.md):
 *
 *     masks    one message a patch; a repeat is refused however late it comes, and a full stream refuses what is new
 *     latest   the last aggregate, and the last progress, of each slide
 *     slides   what became of each slide, what was given up on, and what is wanted to be tried again, in full
 */
export function streamLayouts(prefix: string): Readonly<Record<StreamKind, StreamLayout>> {
  const base = `${checkPrefix(prefix)}.*.*`;
  const layout = (kind: StreamKind, subjects: readonly string[], perSubject: number): StreamLayout => ({
    ...named(prefix, kind),
    subjects: subjects.map(subject => `${base}.${subject}`),
    perSubject,
    discard: kind === 'masks' ? 'new' : 'old',
    retention: 'limits',
  });
  return {
    // Subjects as wide as `…mask.>`: an old server takes no consumer whose filter is wider than the stream's subject.
    masks: layout('masks', ['mask.>'], 1),
    latest: layout('latest', ['aggregate.>', 'slide.progress.>'], 1),
    slides: layout(
      'slides',
      ['slide.opened.>', 'slide.completed.>', 'slide.incomplete.>', 'slide.failed.>', 'dlq.>', 'retry.>'],
      -1,
    ),
  };
}

/**
 * The streams of several machines that share the work (docs/decisions/0033-tasks.md):
 *
 *     briefs     how a slide is read; the last of each slide
 *     tasks      patches to be segmented, until a worker has done them
 *     outcomes   what came of them, until it is in the files and the ledger
 *     tiles      what workers without the slide's folder read it from, until no task needs it (docs/decisions/0050-tiles-are-shipped.md)
 */
export function workLayouts(prefix: string): Readonly<Record<WorkKind, StreamLayout>> {
  const base = `${checkPrefix(prefix)}.*.*`;
  // A limit a subject on a work queue races with acknowledgements on servers before August 2024: there is none.
  const queue = { perSubject: -1, discard: 'new', retention: 'workqueue' } as const;
  return {
    briefs: {
      ...named(prefix, 'briefs'),
      ...{ subjects: [`${base}.brief.>`], perSubject: 1, discard: 'old', retention: 'limits' },
    },
    tasks: { ...named(prefix, 'tasks'), subjects: [`${base}.task.>`], ...queue },
    outcomes: { ...named(prefix, 'outcomes'), subjects: [`${base}.outcome.>`], ...queue },
    // A full stream refuses: what a task needs must not go while it is out.
    tiles: { ...named(prefix, 'tiles'), subjects: [`${base}.tile.>`], ...queue, retention: 'limits' },
  };
}

const named = <K extends StreamKind | WorkKind>(prefix: string, kind: K) => ({
  kind,
  name: `${prefix.replaceAll('.', '_')}_${kind}`,
  description: `Stromaflow: ${kind} of ${prefix}`,
});

/** What JetStream's API is told of it, and what it answers. */
export interface StreamFields {
  readonly subjects: readonly string[];
  readonly retention: string;
  readonly discard: string;
  readonly discard_new_per_subject: boolean;
  readonly max_msgs_per_subject: number;
  readonly storage: string;
  readonly max_age: number;
  readonly max_bytes: number;
  readonly num_replicas: number;
  readonly duplicate_window: number;
}

/** Without these a stream would lose events or keep repeats: one that differs in them is not published to. */
export const VITAL_FIELDS: readonly (keyof StreamFields)[] = [
  'subjects',
  'retention',
  'discard',
  'discard_new_per_subject',
  'max_msgs_per_subject',
];

const NANOSECONDS = 1e9;
const DAY_SECONDS = 86_400;
const BRIEF_DAYS = 7;

export function fieldsOf(layout: StreamLayout, limits: StreamLimits = DEFAULT_LIMITS): StreamFields {
  // What workers read by is needed for as long as tasks may wait.
  const days = layout.kind === 'briefs' || layout.kind === 'tiles' ? Math.min(limits.days, BRIEF_DAYS) : limits.days;
  const seconds = days * DAY_SECONDS;
  return {
    subjects: layout.subjects,
    retention: layout.retention,
    discard: layout.discard,
    discard_new_per_subject: layout.discard === 'new' && layout.perSubject > 0,
    max_msgs_per_subject: layout.perSubject,
    storage: limits.storage,
    max_age: seconds * NANOSECONDS,
    max_bytes: layout.kind === 'masks' ? (limits.bytes ?? -1) : -1,
    num_replicas: limits.replicas,
    duplicate_window: Math.min(DUPLICATE_SECONDS, seconds) * NANOSECONDS,
  };
}
