// `npm run cases -- <folder> [--only 02,13]`: inputs that once gave a wrong result without a word, made by Python (PYTHON names it; it needs
// numpy, tifffile, imagecodecs, pydicom, pillow, onnx and shapely), run through the command line, and a line each that says what came out.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Case } from './case.mjs';
import { LABEL_CASES } from './labels.mjs';
import { SLIDE_CASES } from './slides.mjs';
import { WATCH_CASES } from './watch.mjs';

const CASES = { ...SLIDE_CASES, ...LABEL_CASES, ...WATCH_CASES };

const { values, positionals } = parseArgs({
  options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error('usage: npm run cases -- <folder of cases> [--only 02,13] [--keep]');
  process.exit(2);
}
const root = resolve(positionals[0]);
const only = values.only?.split(',');
const names = readdirSync(root)
  .filter(name => /^\d\d-/.test(name))
  .sort();
const scratch = mkdtempSync(join(tmpdir(), 'stromaflow-cases-'));
let failed = 0;
try {
  for (const name of names) {
    const id = name.slice(0, 2);
    if (only && !only.includes(id)) continue;
    const run = CASES[id];
    const one = new Case(join(root, name), join(scratch, id));
    try {
      if (!run) throw new Error('no expectation is written for it');
      const seen = await run(one);
      console.log(`ok      ${name}: ${seen}`);
    } catch (error) {
      failed += 1;
      console.log(`WRONG   ${name}: ${error.message}`);
    }
    if (!values.keep) rmSync(join(scratch, id), { recursive: true, force: true });
  }
} finally {
  if (values.keep) console.log(`kept in ${scratch}`);
  else rmSync(scratch, { recursive: true, force: true });
}
console.log(failed === 0 ? 'every case gives the right value or the stated refusal' : `${failed} cases are wrong`);
process.exit(failed === 0 ? 0 : 1);
