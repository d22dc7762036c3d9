import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MANIFEST } from './bundle.js';
import { memberPaths } from './model.js';

/** The same for all bundles that a model is made of (see loadModel); empty while one of them is not there. */
export async function modelStamp(source: string): Promise<string> {
  const stamps = await Promise.all(memberPaths(source).map(bundleStamp));
  return stamps.includes('') ? '' : JSON.stringify(stamps);
}

/**
 * Changes whenever a file of a bundle does, or a link leads to another bundle; cheap enough to be asked every second.
 * Empty while there is nothing at the path.
 *
 * @param path folder of a bundle, or an .onnx file
 */
export async function bundleStamp(path: string): Promise<string> {
  try {
    const facts = await stat(path);
    const folder = facts.isDirectory() ? path : dirname(path);
    const all = (await readdir(folder)).sort();
    const names = facts.isDirectory() ? all : all.filter(name => belongsTo(basename(path), name));
    const files = await Promise.all(names.map(async name => ({ name, ...(await stampOf(join(folder, name))) })));
    return JSON.stringify([facts.dev, facts.ino, files]);
  } catch {
    // It is being exchanged; the next look will tell.
    return '';
  }
}

/** Beside an .onnx file: what states how it is used, and its weights as exporters name them ('m.onnx.data', 'm.onnx_data'). */
function belongsTo(model: string, name: string): boolean {
  return name === MANIFEST || name.startsWith(model);
}

async function stampOf(path: string) {
  // A link that leads nowhere is no file of the bundle: editors leave such ones as locks.
  const { ino, size, mtimeMs } = await stat(path).catch(() => lstat(path));
  return { ino, size, mtimeMs };
}
