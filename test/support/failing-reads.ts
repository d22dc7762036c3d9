import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, vi } from 'vitest';

const { readSync } = fs;
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** Reading fails, as on a share that answers, but not with what it holds, for as long as it is asked to. */
export function failReadsWhile(isDue: () => boolean): void {
  vi.spyOn(fs, 'readSync').mockImplementation(((...args: Parameters<typeof readSync>) => {
    if (isDue()) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
    return readSync(...args);
  }) as typeof readSync);
  syncBuiltinESMExports();
}

/** Once, while this function reads. Tells how often that was asked for: more than once, and a later read succeeded. */
export function failOnceIn(name: string): () => number {
  let failures = 0;
  failReadsWhile(() => new Error().stack!.includes(`${name} (`) && failures++ === 0);
  return () => failures;
}
