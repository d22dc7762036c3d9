// `node test/bench/seams.mjs [--slide a.svs] [--set labelled] [--model bundle] [--norm patch,frozen] [--margin 0,32] [--overlap 0.25,0.5] [--tta plain,flips,d4] [--patch-size 512] [--padding zero,mirror] [--replay "options"]`:
// what margins, overlaps, views, patch sizes and ways to normalise cost and bring, by the product's own commands: a row each, as in docs/evaluation.md.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FIXTURE, withFolder } from './support.mjs';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const { values } = parseArgs({
  options: {
    slide: { type: 'string', default: FIXTURE },
    set: { type: 'string' },
    model: { type: 'string' },
    norm: { type: 'string', default: 'patch,frozen' },
    margin: { type: 'string', default: '0,32,64,128' },
    overlap: { type: 'string', default: '' },
    tta: { type: 'string', default: 'plain' },
    'patch-size': { type: 'string', default: '512' },
    padding: { type: 'string', default: 'zero' },
    replay: { type: 'string', default: '--positive 1 --ignore 3 --mpp 1' },
  },
});
const list = name => values[name].split(',').filter(item => item !== '');

/** Runs a command of the product; seconds of processor time, all its processes together. */
function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(
      '/bin/sh',
      ['-c', '"$0" "$@" >/dev/null; status=$?; times; exit $status', process.execPath, MAIN, ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    child.stdout.on('data', chunk => {
      text += chunk;
    });
    child.once('close', status => {
      const spent = [...text.matchAll(/(\d+)m([\d.]+)s/g)].map(
        ([, minutes, seconds]) => 60 * minutes + Number(seconds),
      );
      if (status === 0) resolve(spent.reduce((sum, seconds) => sum + seconds, 0));
      else reject(new Error(`stromaflow ${args.join(' ')} ended with ${status}`));
    });
  });
}

const shape = ({ context, side, padding, tta }) => [
  ...[...context, '--patch-size', side, '--padding', padding, '--engine', 'cpu'],
  ...(tta === 'plain' ? [] : ['--tta', tta]),
];
const model = values.model ? ['--model', values.model] : [];

async function onSlide(way, folder) {
  const seconds = await run(['segment', values.slide, ...model, '--norm', way.norm, ...shape(way), '--out', folder]);
  const [name] = values.slide.split('/').at(-1).split('.');
  const { seams, area } = JSON.parse(await readFile(join(folder, name, 'summary.json'), 'utf8'));
  const differ = ({ pairs, equal }) => 1 - equal / pairs;
  return {
    seamScore: seams.score,
    differAcross: differ(seams.across),
    differInside: differ(seams.inside),
    stromaMm2: area.stromaMm2,
    seconds,
  };
}

async function onSet(way, folder) {
  const args = [values.set, ...values.replay.split(' '), ...model, '--norm', way.norm, ...shape(way)];
  const seconds = await run(['replay', ...args, '--out', folder]);
  const report = JSON.parse(await readFile(join(folder, 'metrics.json'), 'utf8'));
  return { report, seconds };
}

const round = value => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
const contexts = ['margin', 'overlap'].flatMap(name => list(name).map(value => [`--${name}`, value]));
const ways = list('patch-size').flatMap(side =>
  contexts.flatMap(context =>
    list('padding').flatMap(padding =>
      list('norm').flatMap(norm => list('tta').map(tta => ({ norm, context, side, padding, tta }))),
    ),
  ),
);
for (const way of ways)
  await withFolder(async folder => {
    const { norm, context, side, padding, tta } = way;
    const row = { norm, context: context.join(' '), patchSize: Number(side), padding, tta };
    if (values.set) {
      const { report, seconds } = await onSet(way, folder);
      const [{ splits }] = report.models;
      const { iou, precision, recall, areaError } = splits.all;
      const measured = { iou: iou.micro, precision, recall, areaError };
      for (const [name, { value }] of Object.entries(measured)) row[name] = value;
      row.seconds = seconds;
    } else Object.assign(row, await onSlide(way, folder));
    console.log(JSON.stringify(row, (_, value) => round(value)));
  });
