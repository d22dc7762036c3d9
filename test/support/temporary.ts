import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

// Hooks run last registered first: this one, registered by an import, after those of the test file, which end what still writes.
afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
});

/** A new folder that is gone after the test file; test/run.sh names one that is not. */
export function temporaryFolder(name = 'test'): string {
  const path = mkdtempSync(join(tmpdir(), `stromaflow-${name}-`));
  made.push(path);
  return path;
}
