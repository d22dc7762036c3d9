import { open, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Lets a slide arrive as most scanners deliver one: under a temporary name, growing, then renamed.
 * Resolves to its final path; rejects with the signal's reason when aborted.
 */
export async function arriveByRename(
  slide: string,
  folder: string,
  { seconds, parts = 20, signal }: { seconds: number; parts?: number; signal: AbortSignal },
): Promise<string> {
  const final = join(folder, basename(slide));
  const temporary = `${final}.part`;
  const from = await open(slide, 'r');
  const to = await open(temporary, 'w');
  try {
    const { size } = await from.stat();
    const chunk = Buffer.alloc(Math.max(1, Math.ceil(size / parts)));
    for (let offset = 0; offset < size; offset += chunk.length) {
      const { bytesRead } = await from.read(chunk, 0, chunk.length, offset);
      await to.write(chunk, 0, bytesRead, offset);
      await sleep((seconds * 1000) / parts, undefined, { signal });
    }
  } finally {
    await from.close();
    await to.close();
  }
  await rename(temporary, final);
  return final;
}
