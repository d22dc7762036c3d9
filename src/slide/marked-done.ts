import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

/** The end of a slide was declared: `slide.svs.done` or `slide.done` beside `slide.svs`; `.done` in a folder. */
export function isMarkedDone(path: string): boolean {
  const name = basename(path, extname(path));
  return (
    existsSync(`${path}.done`) || existsSync(join(path, '.done')) || existsSync(join(dirname(path), `${name}.done`))
  );
}
