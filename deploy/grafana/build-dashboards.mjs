#!/usr/bin/env node
// Writes dashboards/*.json: `node deploy/grafana/build-dashboards.mjs`.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fleet } from './fleet.mjs';
import { stromaflow } from './stromaflow.mjs';

/** Every dashboard, by the name of its file. */
export const DASHBOARDS = { stromaflow, fleet };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, build] of Object.entries(DASHBOARDS)) {
    const target = fileURLToPath(new URL(`dashboards/${name}.json`, import.meta.url));
    writeFileSync(target, `${JSON.stringify(build(), null, 2)}\n`);
  }
}
