import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Changes whenever a file of a bundle does, or a link leads to another bundle; cheap enough to be asked every second.
 * Empty while there is nothing at the path.
 *
 * @param path folder of a bundle, or an .onnx file
 */
export async function bundleStamp(path: string): Promise<string> {
  try {
    const facts = await stat(path);
    const names = facts.isDirectory() ? (await readdir(path)).sort().map(name => join(path, name)) : [path];
    const files = await Promise.all(names.map(async name => ({ name, ...(await stampOf(name)) })));
    return JSON.stringify([facts.dev, facts.ino, files]);
  } catch {
    // It is being exchanged; the next look will tell.
    return '';
  }
}

async function stampOf(path: string) {
  const { ino, size, mtimeMs } = await stat(path);
  return { ino, size, mtimeMs };
}
