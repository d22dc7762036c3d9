import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ERRORS } from '#src/errors.js';
import { expectGenerated, markdownTable } from './support/generated-docs.js';

it('docs/troubleshooting.md has every code, its exit status and what to do', async () => {
  const rows = Object.entries(ERRORS).map(([code, { exit, fix }]) => [`\`${code}\``, String(exit), fix]);
  await expectGenerated('troubleshooting.md', { errors: markdownTable(['code', 'exit', 'what to do next'], rows) });
});

it('every code is raised somewhere', () => {
  const sources = ['src', 'pipelines'].flatMap(root =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && name !== 'errors.ts')
      .map(name => readFileSync(join(root, name), 'utf8')),
  );
  const unused = Object.keys(ERRORS).filter(code => !sources.some(text => text.includes(`'${code}'`)));
  expect(unused).toEqual([]);
});
