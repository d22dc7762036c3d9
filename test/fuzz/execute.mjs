import { readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { StromaflowError } from '#src/errors.js';
import { takeAsked } from './meter.mjs';

/** CPU time after which an input counts as a hang. */
export const MOST_CPU_MS = 1000;
/** What the process may grow beyond an input's bound: garbage that has not been collected. */
/** Files that an input may leave open, as those of a codec's threads. */
const MOST_HANDLES = 8;
const SLACK = 192 * 2 ** 20;

/**
 * Runs a target on one input and says how it ended: 'fine', the code of a typed error, or what is wrong.
 *
 * @returns {Promise<{ outcome: string, fault?: { kind: string, where: string, detail: string } }>}
 */
export async function execute(target, bytes, files) {
  stray = undefined;
  const handles = openFiles();
  const bound = target.bound.base + target.bound.perByte * bytes.length;
  const rss = process.memoryUsage.rss();
  const peak = process.resourceUsage().maxRSS * 1024;
  const cpu = process.cpuUsage();
  takeAsked();
  let outcome = 'fine';
  let fault;
  try {
    await target.run(bytes, files);
  } catch (error) {
    if (error instanceof StromaflowError) outcome = error.code;
    fault = faultOf(error, target);
  }
  const asked = takeAsked();
  const { user, system } = process.cpuUsage(cpu);
  const peakNow = process.resourceUsage().maxRSS * 1024;
  const ms = (user + system) / 1000;
  if (ms > MOST_CPU_MS) fault ??= { kind: 'hang', where: outcome, detail: `${ms.toFixed(0)} ms of CPU time` };
  if (asked > bound)
    fault ??= { kind: 'allocation', where: outcome, detail: `asks for ${mib(asked)} of ${mib(bound)} MiB` };
  if (peakNow > peak && peakNow - rss > bound + SLACK)
    fault ??= { kind: 'memory', where: outcome, detail: `grows by ${mib(peakNow - rss)} MiB; bound ${mib(bound)}` };
  // Rejections that nobody waits for are told when the event loop turns.
  await setImmediate();
  fault ??= stray;
  if (openFiles() > handles + MOST_HANDLES)
    fault ??= { kind: 'leak', where: outcome, detail: `${openFiles()} open files` };
  return { outcome: fault ? fault.kind : outcome, fault };
}

let stray;

/** What reached the process instead of whoever called. */
export function noteStray(error, target) {
  stray = { ...(faultOf(error, target) ?? { where: String(error), detail: String(error) }), kind: 'stray' };
}

function openFiles() {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

/** Undefined for a typed error of an allowed code that a person can read. */
export function faultOf(error, target) {
  const where = placeOf(error);
  if (!(error instanceof StromaflowError)) return { kind: 'untyped', where, detail: String(error?.stack ?? error) };
  if (!target.codes.includes(error.code)) return { kind: 'code', where, detail: `${error.line}\n${error.stack}` };
  if (error.line.length > 4096 || /\p{Cc}/u.test(error.message))
    return { kind: 'message', where, detail: JSON.stringify(error.message.slice(0, 300)) };
  // A defect of ours that a reader's last resort made a code of is a defect all the same.
  const { cause } = error;
  const isLapse =
    [TypeError, ReferenceError, RangeError].some(kind => cause instanceof kind) && cause.code === undefined;
  const isDefect = (isLapse && THROWN_HERE.test(cause.stack)) || cause?.code === 'ERR_OUT_OF_RANGE';
  if (isDefect) return { kind: 'defect', where: placeOf(cause), detail: cause.stack };
  return undefined;
}

/** The first line of ours that an error came through. */
/** Codecs throw TypeErrors of their own. */
const THROWN_HERE = /^[^\n]*\n\s+at [^\n]*dist\/src\//;
const OURS = /dist\/src\/([^\s)]+:\d+):\d+/;
const placeOf = error => OURS.exec(error?.stack ?? '')?.[1] ?? String(error?.message).slice(0, 60);

const mib = bytes => (bytes / 2 ** 20).toFixed(1);
