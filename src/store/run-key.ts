import type { RunKey, RunState } from './ledger.js';

/** How a run begins, and how it begins anew when its key changed. */
export const FRESH_RUN: Readonly<RunState> = { revision: 1, state: 'open' };

/** A run's key as one string that is equal exactly when all parts are. */
export const runKeyText = ({ slide, fingerprint, modelVersion, plan }: RunKey): string =>
  JSON.stringify([slide, fingerprint, modelVersion, plan]);
