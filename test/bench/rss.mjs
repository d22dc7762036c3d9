import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeLargeSlide } from './large-slide.mjs';
import { withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('rss-child.mjs', import.meta.url));

/**
 * Peak memory of the whole process on a slide and on one 16 × larger, each in a process of its own, with the engine a user
 * gets; and the same growth with the null engine, in bytes, where no engine's memory hides it.
 */
export function benchRss({ slide }) {
  return withFolder(async folder => {
    const large = join(folder, 'large.tif');
    await makeLargeSlide(slide, large, 4);
    const growth = async engine => {
      const small = await peak(slide, join(folder, `small-${engine}`), engine);
      const big = await peak(large, join(folder, `large-${engine}`), engine);
      return { small, large: big, growth: big / small - 1 };
    };
    const bare = await growth('null');
    return { ...(await growth('auto')), bareBytes: bare.large - bare.small };
  });
}

async function peak(slide, out, engine) {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, slide, out, engine]);
  return JSON.parse(stdout).maxRssBytes;
}
