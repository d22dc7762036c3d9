import { openSync } from 'node:fs';
import { StromaflowError } from '#src/errors.js';
import { decodeMaskPng } from '#src/mask/png.js';
import { mutateBytes } from '../mutate.mjs';

/** Readers with one defect each, for testing that the fuzzer sees it. */
const broken = (kind, defect) => ({
  name: `broken-${kind}`,
  seeds: () => [{ name: 'zeros', bytes: Buffer.alloc(64) }],
  mutate: mutateBytes,
  codes: ['SLIDE_UNREADABLE'],
  bound: { base: 2 ** 20, perByte: 16 },
  run: (bytes, files) => (bytes.length > 40 && bytes[8] > 0x7f ? defect(files) : undefined),
});

export const BROKEN = [
  broken('untyped', () => {
    throw new TypeError('x is undefined');
  }),
  broken('defect', () => {
    try {
      decodeMaskPng(undefined);
    } catch (cause) {
      throw new StromaflowError('SLIDE_UNREADABLE', 'a reader’s last resort', { cause });
    }
  }),
  broken('crash', () => process.abort()),
  broken('hang', () => {
    for (;;);
  }),
  broken('allocation', () => new Uint8Array(2 ** 28)),
  broken('memory', () => {
    // Asked for by other means than binary arrays.
    globalThis.kept = 'x'.repeat(2 ** 28);
    // A text that is put together lies in one piece once it is looked into.
    globalThis.kept.charCodeAt(2 ** 27);
  }),
  broken('stray', () => void Promise.reject(new RangeError('nobody waits for this'))),
  broken('leak', ({ folder }) => {
    for (let i = 0; i < 70; i++) openSync(folder, 'r');
  }),
];
