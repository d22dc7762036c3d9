import { defineConfig } from 'vitest/config';

// Run by hand: npx vitest run -c test/engine/table.config.ts
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/engine/table.ts', 'test/engine/encoder-table.ts', 'test/engine/decoder-table.ts'],
    testTimeout: 7_200_000,
    pool: 'forks',
  },
});
