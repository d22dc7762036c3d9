import { sleep } from '../src/event/sleep.js';
import { buildSubject } from '../src/event/subjects.js';
import type { RunLedger } from '../src/store/ledger.js';
import type { Parts } from './parts.js';

const AGAIN_MS = 500;

/**
 * A run that is new to this ledger may have been under way before: its state folder was lost, or another machine had it. Its aggregates go on from the
 * last revision that the streams have, so that nobody takes an old one for the newer. Does nothing over a bus that keeps nothing.
 *
 * @param token names the run in events.
 */
export async function recallRevision(
  slide: string,
  token: string,
  run: RunLedger,
  { bus, config: { prefix, site, scanner } }: Pick<Parts, 'bus' | 'config'>,
  giveUp: AbortSignal,
): Promise<void> {
  const { kept } = bus;
  if (!kept) return;
  const subject = buildSubject(prefix, { site, scanner }, { kind: 'aggregate', slide });
  for (;;) {
    try {
      const id = await kept.lastId(subject);
      const head = `${slide}@${token}/aggregate/`;
      const revision = id?.startsWith(head) ? Number.parseInt(id.slice(head.length), 10) : 0;
      if (revision > run.state.revision) await run.update({ ...run.state, revision });
      return;
    } catch (error) {
      // What cannot be asked for cannot be published either: the server is waited for.
      if (giveUp.aborted) throw error;
      await sleep(AGAIN_MS, giveUp);
    }
  }
}
