import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = path => fileURLToPath(new URL(path, import.meta.url));

export const REPOSITORY = at('../..');
const FOLDERS = {
  corpus: at('corpus'),
  fixtures: at('../fixtures'),
  golden: at('../golden'),
  // Real files that may not be committed; fuzzed where they are.
  shared: at('../../../shared/data'),
};

/** Files below a folder of the corpus whose name ends as `pattern` says; none where the folder is absent. */
export function seedsOf(folder, below, pattern) {
  const root = join(FOLDERS[folder], below);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true })
    .filter(name => pattern.test(name))
    .sort()
    .map(name => ({ name, bytes: readFileSync(join(root, name)) }));
}

export const textSeed = (name, text) => ({ name, bytes: Buffer.from(text) });
