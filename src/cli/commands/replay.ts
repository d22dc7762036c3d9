import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaySet } from '../../../pipelines/replay.js';
import type { StromaflowError } from '../../errors.js';
import { Evaluation } from '../../evaluate/evaluation.js';
import { openLabelledSet } from '../../evaluate/labelled-set.js';
import { describeLabelMap } from '../../evaluate/labels.js';
import { createMemoryLedger } from '../../store/memory-ledger.js';
import { openNoOutput } from '../../store/no-output.js';
import { type Command, GRAPH } from '../command.js';
import { scoresOf, scoreTable } from '../replay-scores.js';
import { runGraph } from '../run-graph.js';

/** Runs a labelled set through the same graph as a scanner's slides and says how good the model is. */
export const replay: Command = {
  usage: 'replay <set>',
  summary: 'run a labelled set through the graph and compare the masks with its labels',
  notes: `The set is a folder with images/ and masks/ of the same names. --positive says which mask values are stroma, --ignore
which are left out; --mpp is the spacing of images that do not state one. Scores go to <out>/metrics.json.`,
  options: ['positive', 'ignore', 'strict', ...GRAPH.filter(name => name !== 'fresh')],
  async run(context) {
    const { args, config, terminal } = context;
    const folder = args[0]!;
    const faults: StromaflowError[] = [];
    const set = await openLabelledSet(folder, {
      ...(config.positive === undefined ? {} : { positive: config.positive }),
      ...(config.ignore === undefined ? {} : { ignore: config.ignore }),
      ...(config.mpp === undefined ? {} : { mpp: config.mpp }),
      strict: config.strict,
      onFault: fault => {
        faults.push(fault);
        process.stderr.write(`stromaflow: ${fault.line}\n`);
      },
    });
    terminal.line(`set        ${folder}: ${set.size} images`);
    for (const line of describeLabelMap(set.map)) terminal.line(`labels     ${line}`);

    const evaluation = new Evaluation({ map: set.map });
    const ledger = createMemoryLedger();
    const status = await runGraph(
      context,
      (parts, signal) => replaySet(set, evaluation, { ...parts, openOutput: openNoOutput }, signal),
      { ledger, quiet: true },
    );
    const scores = { set: folder, faults: faults.length, ...scoresOf(evaluation) };
    await mkdir(config.out, { recursive: true });
    await writeFile(join(config.out, 'metrics.json'), `${JSON.stringify(scores, undefined, 2)}\n`);
    for (const line of scoreTable(scores)) terminal.line(line);
    terminal.line(`scores     ${join(config.out, 'metrics.json')}`);
    terminal.json(scores);
    if (status !== 0) return status;
    return faults.length > 0 ? 1 : 0;
  },
};
