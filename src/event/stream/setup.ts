import { type JetStreamManager, jetstreamManager, type StreamConfig, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../../errors.js';
import {
  fieldsOf,
  type StreamFields,
  type StreamKind,
  type StreamLayout,
  type StreamLimits,
  streamLayouts,
  VITAL_FIELDS,
  type WorkKind,
  workLayouts,
} from './layout.js';

export interface FieldDifference {
  readonly field: keyof StreamFields;
  readonly has: unknown;
  readonly wanted: unknown;
  /** Events would be lost, or repeats kept. */
  readonly vital: boolean;
}

/** One of our streams as the server has it. */
export interface StreamFinding {
  readonly layout: StreamLayout;
  /**
   * 'foreign': somebody else made a stream of this name; 'taken': another stream has its subjects; both are left as they are.
   */
  readonly state: 'absent' | 'equal' | 'differs' | 'foreign' | 'taken';
  readonly differences: readonly FieldDifference[];
  /** Of 'taken': the other stream. */
  readonly by?: string;
  readonly info?: StreamInfo;
}

/** The server, or this account of it, has no JetStream. */
export class NoJetStream extends Error {}

const NOT_ENABLED = [10039, 10076, 10052];

/** JetStream's API over a connection. Rejects with NoJetStream, or EVENTS_STREAM where it does not answer. */
export async function openManager(nc: NatsConnection): Promise<JetStreamManager> {
  try {
    const manager = await jetstreamManager(nc, { checkAPI: false });
    await manager.getAccountInfo();
    return manager;
  } catch (cause) {
    const { code, message, name } = cause as { code?: unknown; message: string; name: string };
    const isOff =
      NOT_ENABLED.includes(Number(code)) || /no responders/i.test(message) || name === 'JetStreamNotEnabled';
    if (isOff) throw new NoJetStream('JetStream is not enabled', { cause });
    throw new StromaflowError('EVENTS_STREAM', `JetStream does not answer: ${message}`, {
      cause,
      fix: 'check the server, and that this account may publish to $JS.API.> and subscribe to _INBOX.>',
    });
  }
}

/** How the streams below a prefix stand. Changes nothing. */
export async function checkStreams(
  manager: JetStreamManager,
  prefix: string,
  limits?: StreamLimits,
  work = false,
): Promise<readonly StreamFinding[]> {
  const layouts = [...Object.values(streamLayouts(prefix)), ...(work ? Object.values(workLayouts(prefix)) : [])];
  const findings: StreamFinding[] = [];
  for (const layout of layouts) findings.push(await checkStream(manager, layout, limits));
  return findings;
}

async function checkStream(
  manager: JetStreamManager,
  layout: StreamLayout,
  limits: StreamLimits | undefined,
): Promise<StreamFinding> {
  const info = await infoOf(manager, layout.name);
  if (!info) {
    const by = await takenBy(manager, layout);
    return by === undefined
      ? { layout, state: 'absent', differences: [] }
      : { layout, state: 'taken', differences: [], by };
  }
  const differences = differencesOf(info.config, fieldsOf(layout, limits), limits !== undefined);
  const isOurs = info.config.description === layout.description;
  const state = isOurs ? (differences.length === 0 ? 'equal' : 'differs') : 'foreign';
  return { layout, state, differences, info };
}

/** Undefined where there is no such stream. */
export async function infoOf(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

const STREAM_NOT_FOUND = 10059;
const isNotFound = (error: unknown): boolean => (error as { code?: unknown }).code === STREAM_NOT_FOUND;

async function takenBy(manager: JetStreamManager, { subjects }: StreamLayout): Promise<string | undefined> {
  for (const subject of subjects) {
    for await (const name of manager.streams.names(subject)) return name;
  }
  return undefined;
}

/** Limits that nobody asked for are the operator's own. */
function differencesOf(config: StreamConfig, wanted: StreamFields, limitsCount: boolean): FieldDifference[] {
  return (Object.keys(wanted) as (keyof StreamFields)[]).flatMap(field => {
    const vital = VITAL_FIELDS.includes(field);
    if (!vital && !limitsCount) return [];
    const has = fieldOf(config, field);
    const want = wanted[field];
    if (isEqual(has, want)) return [];
    return [{ field, has, wanted: want, vital }];
  });
}

const fieldOf = (config: StreamConfig, field: keyof StreamFields): unknown =>
  field === 'discard_new_per_subject' ? (config[field] ?? false) : config[field];

const isEqual = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b) ? JSON.stringify([...a].sort()) === JSON.stringify([...b].sort()) : a === b;

export interface SetupResult extends StreamFinding {
  /** What was done; undefined: nothing. */
  readonly done?: 'created' | 'changed';
  /** Why it could not be done. */
  readonly error?: StromaflowError;
}

/** Makes the streams that are absent and mends those that it made. What somebody else made is left as it is. */
export async function setupStreams(
  manager: JetStreamManager,
  prefix: string,
  limits: StreamLimits,
  work = false,
): Promise<readonly SetupResult[]> {
  const results: SetupResult[] = [];
  for (const finding of await checkStreams(manager, prefix, limits, work)) {
    results.push(await mend(manager, finding, limits));
  }
  return results;
}

async function mend(manager: JetStreamManager, finding: StreamFinding, limits: StreamLimits): Promise<SetupResult> {
  const { layout, state } = finding;
  if (state !== 'absent' && state !== 'differs') return finding;
  try {
    if (state === 'absent') await manager.streams.add(configOf(layout, limits));
    else await manager.streams.update(layout.name, configOf(layout, limits));
    return { ...finding, done: state === 'absent' ? 'created' : 'changed' };
  } catch (cause) {
    const message = `stream ${layout.name}: ${(cause as Error).message}`;
    return { ...finding, error: new StromaflowError('EVENTS_STREAM', message, { cause, fix: SETUP_FIX }) };
  }
}

const SETUP_FIX = 'check the limits of the server and the rights of this account; what is refused stays as it was';

function configOf(layout: StreamLayout, limits: StreamLimits): Partial<StreamConfig> & { name: string } {
  const { name, description } = layout;
  const direct = layout.kind === 'tiles' ? { allow_direct: true } : {};
  return { name, description, ...direct, ...(fieldsOf(layout, limits) as Partial<StreamConfig>) };
}

/** Those of the work are there where they were asked for. */
export type StreamInfos = Readonly<Record<StreamKind, StreamInfo> & Partial<Record<WorkKind, StreamInfo>>>;

/**
 * The streams that events are published to. Undefined where none of them is there: events go out by core publish.
 * Rejects with EVENTS_STREAM where some are missing, are somebody else's or would lose events.
 */
export async function findStreams(
  manager: JetStreamManager,
  prefix: string,
  work = false,
): Promise<StreamInfos | undefined> {
  const findings = await checkStreams(manager, prefix, undefined, work);
  if (findings.every(({ state }) => state === 'absent' || state === 'taken')) return undefined;
  for (const finding of findings) {
    if (!finding.info || finding.state !== 'equal') {
      throw new StromaflowError('EVENTS_STREAM', describeFinding(finding).join('; '));
    }
  }
  return Object.fromEntries(findings.map(({ layout, info }) => [layout.kind, info])) as unknown as StreamInfos;
}

/** Lines for people. */
export function describeFinding({ layout, state, differences, by }: StreamFinding): string[] {
  const { name, subjects } = layout;
  if (state === 'absent') return [`stream ${name} is not there`];
  if (state === 'taken') return [`stream ${name} is not there, and ${by} has subjects of it (${subjects.join(' ')})`];
  const head = state === 'foreign' ? [`stream ${name} was not made by stromaflow events setup`] : [];
  const rest = differences.map(
    ({ field, has, wanted, vital }) =>
      `stream ${name}: ${field} is ${shown(has)}, should be ${shown(wanted)}${vital ? ' (events would be lost)' : ''}`,
  );
  return head.length + rest.length === 0 ? [`stream ${name} is as it should be`] : [...head, ...rest];
}

const shown = (value: unknown): string => JSON.stringify(value) ?? 'absent';
