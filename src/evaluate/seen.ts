import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import type { LabelledImage } from './labelled-item.js';

/** Beside stromaflow.json: the images a model was trained or chosen on, as `sha256sum images/*` prints them. */
export const SEEN_FILE = 'seen.sha256';

/** Larger files are not compared: a whole slide takes seconds to hash, and its name says as much. */
const LARGEST_COMPARED = 1 << 28;

/** How it is known that a model was trained on what it is tried on. */
export interface Seen {
  /** 'content': files whose bytes are on the model's list; 'name': its provenance names the set. */
  readonly by: 'content' | 'name';
  /** Images of the set that it saw, of how many; only where the content was compared. */
  readonly images?: number;
  readonly of?: number;
}

/**
 * SHA-256 sums, in hex, of the images a bundle's model was trained on; undefined where it keeps no list.
 * @param path folder of the bundle, or its .onnx file
 * @throws MODEL_INVALID where a line is none of `sha256sum`
 */
export async function readSeen(path: string): Promise<ReadonlySet<string> | undefined> {
  const folder = path.endsWith('.onnx') ? dirname(path) : path;
  const file = join(folder, SEEN_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StromaflowError('MODEL_INVALID', `${file}: cannot be read`, { cause: error });
  }
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'));
  const sums = lines.map((line, index) => {
    const sum = /^\\?([0-9a-f]{64})(\s|$)/i.exec(line)?.[1];
    if (!sum) {
      const fix = `make it with: sha256sum images/* > ${SEEN_FILE}`;
      throw new StromaflowError('MODEL_INVALID', `${file}: line ${index + 1} is none of sha256sum`, { fix });
    }
    return sum.toLowerCase();
  });
  return new Set(sums);
}

/** Hashes images once, however many models are asked about. */
export class ImageSums {
  readonly #sums = new Map<string, Promise<string | undefined>>();

  /** SHA-256 in hex; undefined for what is no file, or a very large one. */
  of({ imagePath }: Pick<LabelledImage, 'imagePath'>): Promise<string | undefined> {
    const sum = this.#sums.get(imagePath) ?? hashOf(imagePath).catch(() => undefined);
    this.#sums.set(imagePath, sum);
    return sum;
  }
}

async function hashOf(path: string): Promise<string | undefined> {
  const facts = await stat(path);
  if (!facts.isFile() || facts.size > LARGEST_COMPARED) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Whether a model saw what it is tried on: by the content of the images where its bundle lists them, else because its
 * provenance names the set's folder. Undefined: nothing says so, which is no proof that it did not.
 */
export async function seenBefore(
  model: { readonly seen?: ReadonlySet<string> | undefined; readonly provenance?: string | undefined },
  items: readonly Pick<LabelledImage, 'imagePath'>[],
  setName: string,
  sums: ImageSums,
): Promise<Seen | undefined> {
  const { seen } = model;
  if (seen) {
    let images = 0;
    for (const item of items) if (seen.has((await sums.of(item)) ?? '')) images++;
    if (images > 0) return { by: 'content', images, of: items.length };
  }
  return model.provenance !== undefined && namesSet(model.provenance, setName) ? { by: 'name' } : undefined;
}

/** Whether a text has a folder's name as a word or words of it, whatever its case and punctuation: 'wsss4luad', 'WSSS4LUAD images'. */
export function namesSet(provenance: string, setName: string): boolean {
  const plain = (text: string) =>
    ` ${text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim()} `;
  const name = plain(setName);
  // 'set' or 'val' would be found in any provenance.
  return name.trim().length >= 4 && !COMMON.has(name.trim()) && plain(provenance).includes(name);
}

const COMMON = new Set([
  'images',
  'data',
  'dataset',
  'labelled',
  'labeled',
  'train',
  'training',
  'test',
  'validation',
  'slides',
  'lung',
  'colon',
  'breast',
]);
