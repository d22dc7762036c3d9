import { printable } from './text.js';

/**
 * Every failure a user can meet, once: a stable code, the exit code of the command line, and what to do next.
 * Raise one with `new StromaflowError('SLIDE_NO_MPP', 'slide.svs: …', { cause })`; print one with `error.line`.
 */
export const ERRORS = {
  USAGE: { exit: 2, fix: 'see stromaflow --help' },
  CONFIG_INVALID: { exit: 2, fix: 'correct the option named above; stromaflow config shows what is in force' },
  FILE_NOT_FOUND: { exit: 1, fix: 'check the path' },
  SLIDE_UNREADABLE: { exit: 1, fix: 'check that the file is a whole-slide image and was copied completely' },
  SLIDE_TRUNCATED: { exit: 1, fix: 'copy the slide again; it ends before its last tile' },
  SLIDE_UNSUPPORTED: { exit: 1, fix: 'convert the slide to a tiled TIFF of 8-bit RGB' },
  SLIDE_NO_MPP: { exit: 1, fix: 'give the spacing of the finest level with --mpp <µm per pixel>' },
  SLIDE_SPACING: { exit: 1, fix: 'choose a coarser --spacing or a model trained at the spacing of this slide' },
  SLIDE_REMOTE: {
    exit: 1,
    fix: 'check the address and its server, then start the same command again: what is done is kept',
  },
  SLIDE_CHANGED: {
    exit: 1,
    fix: 'nothing more of it is read; start the same command again: the slide is then done anew, as it is now',
  },
  OPENSLIDE_FAILED: {
    exit: 1,
    fix: 'install OpenSlide 4.0.1 or newer, or convert the slide to a tiled TIFF; other slides are not affected',
  },
  SLIDE_INCOMPLETE: { exit: 1, fix: 'the slide is taken up again when it changes or on the next start' },
  TILE_CORRUPT: { exit: 1, fix: 'the patch is reported as failed; scan the slide again if it matters' },
  PATCH_REJECTED: { exit: 1, fix: 'a check of this installation objects to the patch; its message says why' },
  MODEL_NOT_FOUND: {
    exit: 1,
    fix: 'give a bundle folder (config.json, model.safetensors, stromaflow.json) with --model',
  },
  MODEL_INVALID: { exit: 1, fix: 'export the model again with save_pretrained and run stromaflow model verify' },
  MODEL_TENSOR: { exit: 1, fix: 'the weights do not fit the architecture in config.json; export both together' },
  MODEL_NOT_FINITE: {
    exit: 1,
    fix: 'leave --half off if it is on and run stromaflow model verify; a model that computes NaN in float32 has to be mended',
  },
  MODEL_UNSUPPORTED: { exit: 1, fix: 'see docs/models.md for the architectures and options that can be run' },
  ENGINE_UNAVAILABLE: { exit: 1, fix: 'run stromaflow doctor to see which engines this machine has' },
  ENGINE_FAILED: { exit: 1, fix: 'try --engine cpu or a smaller --batch' },
  BUS_UNREACHABLE: { exit: 1, fix: 'start nats-server or correct --nats; without --nats the in-process bus is used' },
  BUS_PUBLISH: { exit: 1, fix: 'check the NATS server and its limits; the patch is published again on the next start' },
  BUS_SUBSCRIBE: { exit: 1, fix: 'ask for the right to subscribe to this subject on the NATS server' },
  BUS_SLOW_SUBSCRIBER: { exit: 1, fix: 'read the events faster, or subscribe to fewer subjects' },
  EVENTS_STREAM: { exit: 1, fix: 'run stromaflow events check, then stromaflow events setup' },
  EVENTS_FULL: {
    exit: 1,
    fix: 'raise the limits of the stream, or let it keep less; the slide goes on with the next start',
  },
  EVENTS_UNHANDLED: { exit: 1, fix: 'see what ends the process that handles it, then read it again (from)' },
  EVENTS_GAP: { exit: 1, fix: 'read again from the start (from: all), or keep events longer in the stream' },
  EVENT_INVALID: { exit: 1, fix: 'publish events as docs/events.md describes them, or use another subject prefix' },
  TRACES_UNSENT: {
    exit: 1,
    fix: 'check that the collector takes OTLP over HTTP there; the run goes on, without what was not sent',
  },
  PORT_IN_USE: { exit: 1, fix: 'choose another --port, or 0 for a free one' },
  OUTPUT_FULL: { exit: 1, fix: 'free space on the disk of --out and start again; finished patches are kept' },
  OUTPUT_FAILED: { exit: 1, fix: 'check that the folder of --out can be written' },
  LEDGER_FAILED: { exit: 1, fix: 'the ledger must be on a local disk and used by one process; check --out' },
  LABELS_INVALID: {
    exit: 1,
    fix: 'correct the file named above; --strict stops at the first, otherwise it is left out',
  },
  TRAINING_DIVERGED: {
    exit: 1,
    fix: 'the run folder keeps the last good state; begin anew with a lower --learning-rate and another --name',
  },
  MASK_INVALID: { exit: 1, fix: 'the payload must be a 1-bit PNG as the event contract describes it' },
  INTERRUPTED: { exit: 130, fix: 'start the same command again to go on where it stopped' },
  INTERNAL: { exit: 1, fix: 'this is a defect; please report it with the lines above' },
} as const satisfies Record<string, { exit: number; fix: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether this text, out of a record that may be older, is a code of the table. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

export interface ErrorOptions {
  /** What went wrong underneath; kept for `--verbose` and for logs. */
  cause?: unknown;
  /** What to do next, where the table's general advice can be more exact. */
  fix?: string;
}

export class StromaflowError extends Error {
  override readonly name = 'StromaflowError';
  readonly code: ErrorCode;
  readonly fix: string;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
    super(
      printable(text, () => ' '),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.fix = options.fix ?? ERRORS[code].fix;
  }

  /** Process exit status that belongs to the code: 1 failed, 2 wrong usage, 130 interrupted. */
  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  /** One line for a person: what, which code, what to do. */
  get line(): string {
    return `${this.message} [${this.code}] ${this.fix}`;
  }
}

const MAX_MESSAGE = 2000;

/** A value out of somebody's file, for a message. */
export function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'absent';
  } catch {
    // Nested deeper than the stack is high.
    return 'something too deep to show';
  }
}

/** Narrows anything caught to a StromaflowError, wrapping what is not one as `code` (INTERNAL unless given). */
export function toStromaflowError(error: unknown, code: ErrorCode = 'INTERNAL', context?: string): StromaflowError {
  if (error instanceof StromaflowError) return error;
  if (isNoSpace(error)) return new StromaflowError('OUTPUT_FULL', 'no space left on device', { cause: error });
  // Libraries put an explanation, or half a file, on the lines below.
  const message = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
  return new StromaflowError(code, context ? `${context}: ${message}` : message, { cause: error });
}

/** An error crossing a thread boundary: what structured clone keeps of a StromaflowError. */
export interface WireError {
  code: ErrorCode;
  message: string;
  fix: string;
}

export const toWire = (error: unknown, code?: ErrorCode): WireError => {
  const known = toStromaflowError(error, code);
  return { code: known.code, message: known.message, fix: known.fix };
};

export const fromWire = (wire: WireError): StromaflowError =>
  new StromaflowError(wire.code, wire.message, { fix: wire.fix });

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
