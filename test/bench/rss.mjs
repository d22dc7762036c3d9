import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeLargeSlide } from './large-slide.mjs';
import { withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('rss-child.mjs', import.meta.url));

/**
 * Peak memory of the whole process on a slide and on one 16 × larger, each in a process of its own. The engine is the null
 * one: a real engine's memory is the same for every slide and would only hide a growth.
 */
export function benchRss({ slide }) {
  return withFolder(async folder => {
    const large = join(folder, 'large.tif');
    await makeLargeSlide(slide, large, 4);
    const small = await peak(slide, join(folder, 'small'));
    const big = await peak(large, join(folder, 'large'));
    return { small, large: big, growth: big / small - 1 };
  });
}

async function peak(slide, out) {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, slide, out]);
  return JSON.parse(stdout).maxRssBytes;
}
