// `npm run -s stromaflow -- <args>`: builds when the sources are newer than dist/, then runs the command line.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = `${root}dist/src/cli/main.js`;
const newest = folder =>
  readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter(file => file.name.endsWith('.ts'))
    .reduce((latest, file) => Math.max(latest, statSync(`${file.parentPath}/${file.name}`).mtimeMs), 0);

if (!existsSync(entry) || Math.max(newest('src'), newest('pipelines')) > statSync(entry).mtimeMs) {
  const build = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root], {
    stdio: ['ignore', 2, 2],
  });
  if (build.status !== 0) process.exit(build.status ?? 1);
}
process.argv.splice(1, 1, entry);
await import(entry);
