// Another process that uses the ledger, for ledger.test.ts: holds it open, or writes records until it is killed,
// telling the number of each one that was acknowledged.
import { writeSync } from 'node:fs';
import { openLedger } from '../../dist/src/store/lmdb-ledger.js';

const [folder, mode] = process.argv.slice(2);
const ledger = await openLedger(folder);
if (mode === 'hold') {
  writeSync(1, 'open\n');
  setInterval(() => undefined, 1000);
} else {
  const run = await ledger.run({ slide: 'slide_1', fingerprint: 'f', modelVersion: '1.0+abc', plan: 'p' });
  for (let n = [...run.records()].length; ; n++) {
    const place = { level: 0, col: n % 100, row: Math.floor(n / 100) };
    await run.record({ ...place, outcome: 'segmented', validPixels: 9, tissuePixels: 5, stromaPixels: n });
    writeSync(1, `${n}\n`);
  }
}
