import type { RunGrowth, RunKey, RunState } from './ledger.js';

/** How a run begins, and how it begins anew when its key changed. */
export const FRESH_RUN: Readonly<RunState> = { revision: 1, state: 'open' };

/** A run's key as one string that is equal exactly when all parts are. */
export const runKeyText = ({ slide, fingerprint, modelVersion, plan }: RunKey): string =>
  JSON.stringify([slide, fingerprint, modelVersion, plan]);

/** What a ledger keeps of a run besides its patches. */
export interface StoredRun extends RunState {
  readonly key: string;
  /** Of a run that began while its slide grew. */
  readonly growth?: string;
}

/** True when a stored run is the one asked for. */
export function isSameRun(stored: StoredRun, key: RunKey, growth: RunGrowth | undefined): boolean {
  if (stored.key === runKeyText(key)) return true;
  if (growth === undefined || stored.growth !== growth.identity) return false;
  if (stored.key !== runKeyText({ ...key, fingerprint: fingerprintOf(stored) })) return false;
  return stored.finished === undefined || stored.finished === growth.content();
}

/** A run as it begins. */
export const freshRun = (key: RunKey, growth: RunGrowth | undefined): StoredRun => ({
  key: runKeyText(key),
  ...FRESH_RUN,
  ...(growth?.growing ? { growth: growth.identity } : {}),
});

export const fingerprintOf = (stored: StoredRun): string => (JSON.parse(stored.key) as string[])[1]!;
