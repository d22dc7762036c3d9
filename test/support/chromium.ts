import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Debian's chromium, wherever PATH has it. */
export async function findChromium(): Promise<string> {
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    const path = join(directory, 'chromium');
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error('chromium is not on the PATH; on Debian: apt-get install chromium');
}
