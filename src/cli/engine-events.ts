import type { EngineEvent } from '../engine/pool.js';

/** Says on standard error what befell the engine; patches that are given up are said as dead letters. */
export function printEngineEvent(event: EngineEvent): void {
  const line = describe(event);
  if (line) process.stderr.write(`stromaflow: ${line}\n`);
}

function describe(event: EngineEvent): string | undefined {
  switch (event.type) {
    case 'restarted':
      return `the engine was started again (failures in a row: ${event.failures}; the last: ${event.error.message})`;
    case 'batch-lowered':
      return `memory was short: batches of at most ${event.batch} from now on`;
    case 'gave-up':
      return event.error.line;
    case 'quarantined':
      return undefined;
  }
}
