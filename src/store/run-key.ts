import type { RunKey } from '../run-key.js';
import type { KnownRun, RunGrowth, RunState } from './ledger.js';

/** How a run begins, and how it begins anew when its key changed. */
export const FRESH_RUN: Readonly<RunState> = { revision: 1, state: 'open' };

/** `finished` of a run whose slide was replaced while it went on: no content has this name, so it is not taken up again. */
export const REPLACED = 'replaced';

/** A run's key as one string that is equal exactly when all parts are. */
export const runKeyText = ({ slide, fingerprint, modelVersion, plan }: RunKey): string =>
  JSON.stringify([slide, fingerprint, modelVersion, plan]);

/** What a ledger keeps of a run besides its patches. */
export interface StoredRun extends RunState {
  readonly key: string;
  /** Of a run that began while its slide grew. */
  readonly growth?: string;
  /** Runs of this very key that were given up before: it must have another name in events than they had. */
  readonly again?: number;
}

/** True when a stored run is the one asked for. */
export function isSameRun(stored: StoredRun, key: RunKey, growth: RunGrowth | undefined): boolean {
  if (stored.finished === REPLACED) return false;
  if (stored.key === runKeyText(key)) return true;
  if (growth === undefined || stored.growth !== growth.identity) return false;
  if (stored.key !== runKeyText({ ...key, fingerprint: keyFingerprint(stored) })) return false;
  return stored.finished === undefined || stored.finished === growth.content();
}

/** A run as it begins; `before` is the one in its place. */
export const freshRun = (key: RunKey, growth: RunGrowth | undefined, before?: StoredRun): StoredRun => ({
  key: runKeyText(key),
  ...FRESH_RUN,
  ...(growth?.growing ? { growth: growth.identity } : {}),
  ...(before?.finished === REPLACED && before.key === runKeyText(key) ? { again: (before.again ?? 0) + 1 } : {}),
});

/** Names the run in events. */
export const fingerprintOf = (stored: StoredRun): string =>
  stored.again === undefined ? keyFingerprint(stored) : `${keyFingerprint(stored)}+${stored.again}`;

export const knownRun = (stored: StoredRun): KnownRun => ({
  state: stored.state,
  fingerprint: keyFingerprint(stored),
  growth: stored.growth,
  finished: stored.finished,
  said: stored.said?.run,
  plan: keyParts(stored)[3],
});

const keyFingerprint = (stored: StoredRun): string => keyParts(stored)[1]!;

const keyParts = ({ key }: StoredRun): readonly string[] => JSON.parse(key) as string[];
