import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const PYTHON = process.env.PYTHON ?? 'python3';

/** Ends a run that would never end; a busy machine takes a tenth of it. */
const PATIENCE_MS = 600_000;

/** One case: its inputs in `folder`, and what the product makes of them. */
export class Case {
  /** @param source folder with make.py  @param folder where the inputs go */
  constructor(source, folder) {
    this.source = source;
    this.folder = folder;
    this.outs = 0;
    mkdirSync(folder, { recursive: true });
  }

  at(...names) {
    return join(this.folder, 'made', ...names);
  }

  get model() {
    return this.at('model');
  }

  /** Runs make.py; `more` are its further arguments. Resolves when it has ended. */
  async make(...more) {
    const made = await finished(this.startMaking(...more));
    if (made.status !== 0) throw new Error(`make.py failed: ${made.stderr.trim().split('\n').at(-1)}`);
    return made;
  }

  startMaking(...more) {
    const env = { ...process.env, STROMAFLOW: `${process.execPath} ${MAIN}` };
    return spawn(PYTHON, [join(this.source, 'make.py'), this.at(), ...more], { env });
  }

  /** Starts the product with an output folder of its own. */
  start(...args) {
    const out = join(this.folder, `out-${this.outs++}`);
    return { child: spawn(process.execPath, [MAIN, ...args, '--out', out]), out };
  }

  /** Runs the product to its end: `{ status, stdout, stderr, out }`. */
  async run(...args) {
    const { child, out } = this.start(...args);
    return { ...(await finished(child)), out };
  }

  segment(...args) {
    return this.run('segment', ...args, '--fresh');
  }

  /** Watches until `isDone(results)` or patience ends, then stops it as Ctrl-C does. */
  async watch(folder, isDone, ...args) {
    const { child, out } = this.start('watch', folder, '--port', '0', ...args);
    const ended = finished(child);
    const start = Date.now();
    while (Date.now() - start < PATIENCE_MS && child.exitCode === null && !isDone(results(out))) await sleep(250);
    child.kill('SIGINT');
    return { ...(await ended), out };
  }
}

async function finished(child) {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', data => {
    stdout += data;
  });
  child.stderr?.on('data', data => {
    stderr += data;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearTimeout(timer);
  return { status, stdout, stderr };
}

/** Every slide that has results below a folder: its id, summary and the boxes of its polygons. */
export function results(out) {
  if (!existsSync(out)) return [];
  return readdirSync(out)
    .filter(id => existsSync(join(out, id, 'summary.json')))
    .sort()
    .map(id => ({
      id,
      summary: JSON.parse(readFileSync(join(out, id, 'summary.json'), 'utf8')),
      boxes: boxes(join(out, id, 'mask.geojson')),
    }));
}

/** The only slide of a run. */
export function only(run) {
  const found = results(run.out);
  if (found.length !== 1)
    throw new Error(`${found.length} slides have results; ${run.stderr.trim().split('\n').at(-1) ?? ''}`);
  return found[0];
}

/** Bounding boxes [left, top, right, bottom] of the polygons, sorted. */
function boxes(file) {
  if (!existsSync(file)) return [];
  const { features } = JSON.parse(readFileSync(file, 'utf8'));
  return features
    .map(({ geometry }) => {
      const points = geometry.coordinates.flat(geometry.type === 'MultiPolygon' ? 2 : 1);
      const [xs, ys] = [points.map(point => point[0]), points.map(point => point[1])];
      return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    })
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

/** The corners of the boxes are these, within `slack` pixels. */
export function checkBoxes({ id, boxes: found }, corners, slack = 2) {
  const wanted = corners.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  const fits =
    found.length === wanted.length &&
    found.every((box, i) => Math.abs(box[0] - wanted[i][0]) <= slack && Math.abs(box[1] - wanted[i][1]) <= slack);
  check(fits, `${id}: boxes at ${places(found)}, not at ${places(wanted)}`);
}

export const places = list => list.map(box => `(${Math.round(box[0])},${Math.round(box[1])})`).join(' ') || 'none';

export function checkNear(value, wanted, relative, what) {
  check(Math.abs(value / wanted - 1) <= relative, `${what} ${value}, not ${wanted}`);
}

/** A refusal: status 1, a code, and no slide that is completed. */
export function checkRefused(run, code) {
  const line = run.stderr.trim().split('\n').at(-1) ?? '';
  check(run.status !== 0, `exit status 0: ${run.stdout.trim().split('\n').at(-1)}`);
  check(code.test(line) || code.test(run.stderr), `says ${line}`);
  check(!results(run.out).some(({ summary }) => summary.state === 'completed'), 'and is completed');
  return line;
}
