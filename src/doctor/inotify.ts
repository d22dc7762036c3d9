import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Finding } from './finding.js';

/** Watching takes one watch a folder; a year of slides in folders of their own is some tens of thousands. */
const FEW = 1000;

/** Watches the kernel grants a user, and those its processes have; undefined where there is no inotify. */
export async function inotify(proc = '/proc'): Promise<Finding | undefined> {
  const limit = await readNumber(`${proc}/sys/fs/inotify/max_user_watches`);
  if (limit === undefined) return undefined;
  const used = await usedWatches(proc);
  const facts = { limit, used };
  const detail = `${(limit - used).toLocaleString('en')} of ${limit.toLocaleString('en')} free`;
  if (limit - used >= FEW) return { what: 'inotify watches', state: 'good', lines: [detail], facts };
  const fix = `few for many folders (polling goes on without): sysctl fs.inotify.max_user_watches=${Math.max(524_288, limit * 4)}`;
  return { what: 'inotify watches', state: 'absent', lines: [detail, fix], facts };
}

/** Of all processes of this user, as far as they can be looked at. */
async function usedWatches(proc: string): Promise<number> {
  const processes = (await readdir(proc).catch(() => [])).filter(name => /^\d+$/.test(name));
  const counts = await Promise.all(processes.map(id => watchesOf(`${proc}/${id}`)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function watchesOf(process: string): Promise<number> {
  let count = 0;
  for (const fd of await readdir(`${process}/fd`).catch(() => [])) {
    if (!(await readlink(`${process}/fd/${fd}`).catch(() => '')).includes('inotify')) continue;
    const info = await readFile(`${process}/fdinfo/${fd}`, 'utf8').catch(() => '');
    count += info.match(/^inotify /gm)?.length ?? 0;
  }
  return count;
}

async function readNumber(path: string): Promise<number | undefined> {
  const value = Number((await readFile(path, 'utf8').catch(() => '')).trim() || Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
