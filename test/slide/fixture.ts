import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StromaflowError } from '#src/errors.js';

/** The CC0 slide: 2220 × 2967 pixels of 0.499 µm, 240-pixel JPEG tiles, one level. */
export const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));

/** A folder of its own for a test file, and a way to put files there. */
export function scratch(): {
  path(name: string): string;
  write(name: string, bytes: Uint8Array | string): string;
  remove(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'stromaflow-slide-'));
  const path = (name: string) => join(folder, name);
  return {
    path,
    write: (name, bytes) => {
      writeFileSync(path(name), bytes);
      return path(name);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The StromaflowError a call ends with; anything else is thrown on. */
export async function failureOf(call: () => unknown): Promise<StromaflowError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof StromaflowError) return error;
    throw error;
  }
  throw new Error('did not fail');
}
