import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shiftAgreement } from '../bench/shift.mjs';
import { STARTER } from '../support/formula-weights.js';

let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'shift-'));
});
afterAll(() => rm(cacheFolder, { recursive: true }));

test('a grid half a patch away makes the same mask of the committed slide', async () => {
  const { frozen, patch } = await shiftAgreement({ model: STARTER, cacheFolder });
  process.stderr.write(`agreement: frozen ${frozen.toFixed(4)}, patch ${patch.toFixed(4)}\n`);
  expect(frozen).toBeGreaterThan(0.97);
  expect(patch).toBeLessThan(frozen);
}, 600_000);
