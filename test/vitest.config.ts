import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './support/slowest-first.js';

// Tests run against the built product in dist/ (see "imports" in package.json), so that worker threads start from
// the same files a user's do.
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // What ends a test that hangs, and no other: on a machine ten times too busy a GPU in software takes minutes a model.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    // Some tests load onnxruntime themselves: its reports leave files in the temporary folder. test/engine/telemetry.test.ts takes it back.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    // One more than the two cores that there may be: many tests wait for a scanner, a server or a poll.
    maxWorkers: 3,
    // Node loads the built product, as it does for a user: vite would transform all of it again for each of the files below.
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    sequence: { sequencer: SlowestFirst },
  },
});
