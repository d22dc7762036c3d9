import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './support/slowest-first.js';

// Tests run against the built product in dist/ (see "imports" in package.json), so that worker threads start from
// the same files a user's do.
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    pool: 'forks',
    sequence: { sequencer: SlowestFirst },
  },
});
