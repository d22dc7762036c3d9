import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { holderOf, KERNELS } from '../support/kernels.mjs';

describe('compiled kernels', () => {
  it.each(KERNELS)('$holder holds $source', async kernels => {
    const held = readFileSync(fileURLToPath(new URL(`../../${kernels.holder}`, import.meta.url)), 'utf8');
    // `npm run kernels` makes it anew.
    expect(held === (await holderOf(kernels))).toBe(true);
  });
});
