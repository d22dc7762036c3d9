// Replay against segment on the same slide with the same model, interleaved: seconds a patch, and what the metrics cost.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const MAIN = new URL('../../dist/src/cli/main.js', import.meta.url).pathname;
const run = promisify(execFile);

/** Half of the slide is stroma to this truth, with a ragged edge so that there is a boundary in every patch. */
const truth = side => {
  const edge = Array.from({ length: 400 }, (_, i) => [i % 2 ? side * 0.3 : side * 0.7, (i * side) / 400]);
  const coordinates = [[[0, 0], ...edge, [0, side], [0, 0]]];
  const properties = { classification: { name: 'stroma' } };
  return JSON.stringify({
    type: 'FeatureCollection',
    features: [{ type: 'Feature', properties, geometry: { type: 'Polygon', coordinates } }],
  });
};

export async function benchReplay({ slide, rounds = 2, say = () => {} }) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-replay-'));
  const labels = join(folder, 'truth.geojson');
  await writeFile(labels, truth(3000));
  const common = ['--engine', 'cpu', '--keep-empty'];
  const segment = [];
  const replay = [];
  const metrics = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const out = join(folder, `segment-${round}`);
      await run(process.execPath, [MAIN, 'segment', slide, ...common, '--out', out]);
      const summary = JSON.parse(
        await readFile(join(out, basename(slide).replace(/\.[^.]*$/, ''), 'summary.json'), 'utf8'),
      );
      segment.push(summary.timings.seconds / summary.patches.expected);
      const report = join(folder, `replay-${round}`);
      await run(process.execPath, [
        MAIN,
        'replay',
        slide,
        '--labels',
        labels,
        '--positive',
        'stroma',
        ...common,
        '--out',
        report,
      ]);
      const { models } = JSON.parse(await readFile(join(report, 'metrics.json'), 'utf8'));
      const { seconds, splits } = models[0];
      replay.push(seconds.replay / splits.all.patches.scored);
      metrics.push(seconds.metrics / seconds.replay);
      say(
        `  round ${round + 1}: segment ${segment.at(-1).toFixed(3)} s a patch, replay ${replay.at(-1).toFixed(3)}, metrics ${(100 * metrics.at(-1)).toFixed(2)} %`,
      );
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { replayOverSegment: mean(replay) / mean(segment), metricsShare: mean(metrics) };
}
