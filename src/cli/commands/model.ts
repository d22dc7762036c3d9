import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { normOf } from '../../../pipelines/models.js';
import { freezeBundle, STILL } from '../../engine/freeze.js';
import { quantiseBundle } from '../../engine/quantise.js';
import { runOnImage } from '../../engine/run-on-image.js';
import { verifyBundle } from '../../engine/verify.js';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { folderPatches } from '../../evaluate/folder-patches.js';
import { isImageFile, isTiffFile } from '../../evaluate/layout-folder.js';
import { readSplit, trainPictures } from '../../evaluate/split.js';
import { loadBundle, type ModelBundle } from '../../model/bundle.js';
import { importBundle } from '../../model/import.js';
import { inspectBundle } from '../../model/inspect.js';
import { type Command, GENERAL } from '../command.js';

const GROUP = 'import, inspect, verify, freeze, quantise and run model bundles';

export const modelImport: Command = {
  usage: 'model import <source> <bundle>',
  group: GROUP,
  summary: "make a bundle of a folder of smp's save_pretrained, a ready .onnx file or another bundle",
  notes: 'The bundle is checked before it takes its name. --half stores the weights as float16.',
  options: ['half', 'overwrite', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const [source, target] = args as [string, string];
    const bundle = await importBundle(source, target, { half: config.half, overwrite: config.overwrite, signal });
    terminal.line(`${bundle.name} ${bundle.version} in ${bundle.path}`);
    for (const field of bundle.assumed) terminal.line(`  assumed: ${field}`);
    terminal.json(bundle);
    return 0;
  },
};

export const modelInspect: Command = {
  usage: 'model inspect <bundle>',
  group: GROUP,
  summary: 'say what is in a bundle',
  options: ['norm', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const report = await inspectBundle(args[0]!, signal, normOf(config));
    const { bundle, architecture, details } = report;
    terminal.line(`${bundle.name} ${bundle.version}: ${architecture}`);
    terminal.line(`patches     ${bundle.patchSize} px at ${bundle.spacing} µm/px, threshold ${bundle.threshold}`);
    terminal.line(`classes     ${bundle.classes.join(', ')}`);
    if (details) {
      const types = Object.entries(details.elementTypes).map(([type, count]) => `${count} × ${type}`);
      terminal.line(`weights     ${details.parameters.toLocaleString('en')} in ${types.join(', ')}`);
      terminal.line(
        `cost        ${details.gigaMultiplications.toFixed(1)} GMAC a patch (thousand million multiply-adds)`,
      );
      for (const name of details.unused) terminal.line(`unused      ${name}`);
    }
    for (const line of normLines(bundle)) terminal.line(line);
    if (bundle.network.kind === 'onnx') terminal.line(`output      ${bundle.scores.of} (${bundle.scores.activation})`);
    for (const field of bundle.assumed) terminal.line(`assumed     ${field}`);
    terminal.line(`licence     ${bundle.licence}`);
    terminal.line(`provenance  ${bundle.provenance}`);
    for (const { set, metric, value } of bundle.metrics) terminal.line(`measured    ${metric} ${value} on ${set}`);
    terminal.json(report);
    return 0;
  },
};

export const modelVerify: Command = {
  usage: 'model verify <bundle>',
  group: GROUP,
  summary: "check every tensor's name, shape and values, and make a trial run",
  notes:
    'The trial runs are on noise and on pictures that are black, white and of one colour. They are made in float16 too, where ' +
    'the engine can; with --half, scores that are not finite there are a problem of the bundle.',
  options: ['engine', 'half', 'norm', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const { engine, half } = config;
    const norm = normOf(config);
    const { bundle, problems, trial, float16 } = await verifyBundle(args[0]!, { engine, half, norm, signal });
    for (const problem of problems) process.stderr.write(`stromaflow: ${problem.line}\n`);
    if (bundle) terminal.line(`${bundle.name} ${bundle.version}: ${problems.length} problems`);
    if (bundle) for (const line of normLines(bundle)) terminal.line(line);
    if (trial) {
      const range = `logits from ${trial.lowest.toFixed(2)} to ${trial.highest.toFixed(2)} on noise`;
      terminal.line(`trial run   ${trial.engine}, ${trial.seconds.toFixed(2)} s, ${range}`);
    }
    if (float16) {
      const { notFinite } = float16;
      terminal.line(
        `float16     ${notFinite.length > 0 ? `not finite on ${notFinite.join(', ')}: leave --half off` : 'finite too'}`,
      );
    }
    const told = problems.map(({ code, message, fix }) => ({ code, message, fix }));
    terminal.json({ bundle: bundle ?? null, problems: told, trial: trial ?? null, float16: float16 ?? null });
    return problems.length > 0 ? 1 : 0;
  },
};

/** How the norms are run, where the bundle has a choice. */
function normLines({ network, normStatistics }: ModelBundle): string[] {
  if (network.kind !== 'smp' || !network.norms) return [];
  const { files, from = [] } = normStatistics ?? {};
  const source = files === undefined ? '' : ` of ${files} pictures or slides (${from.join(', ')})`;
  return [`norms       frozen, by ${network.norms.patches} patches${source}`];
}

/** More are asked for with --patches. */
const MOST_NORM_PATCHES = 400;

export const modelFreeze: Command = {
  usage: 'model freeze <bundle> [copy]',
  group: GROUP,
  summary: 'take the statistics of group and instance norms from pictures, so that masks have no seams',
  notes:
    'Runs the model over patches that are tissue throughout, drawn evenly from --images (pictures at --mpp, or else at the spacing of the model; ' +
    'slides), until the statistics stand still or --patches are done, and writes norm-statistics.safetensors into the bundle; its weights stay as they are. No ' +
    'labels are needed: pictures of your own stain and scanner fit the model to them. Measure it with replay, --norm patch and --norm frozen.',
  options: ['images', 'split', 'mpp', 'patches', 'patch-size', 'threads', 'seed', 'overwrite', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const [path, copy] = args as [string, string?];
    const { images, mpp, seed, overwrite, patches: wanted } = config;
    if (images === undefined) throw new StromaflowError('USAGE', 'model freeze needs --images <folder>');
    const { spacing, patchSize: own } = await loadBundle(path, signal, { norm: 'patch' });
    const patchSize = config['patch-size'] ?? own;
    const used = new Set<string>();
    const only = config.split === undefined ? undefined : trainPictures(await readSplit(config.split));
    const patches = folderPatches(images, {
      ...(only && { only }),
      ...{ spacing, patchSize, mpp, most: wanted ?? MOST_NORM_PATCHES, seed, full: true, round: 1, signal },
      onUsed: file => used.add(file),
      onUnreadable: error => terminal.line(`left out    ${toStromaflowError(error).line}`),
    });
    const from = images.split(',').map(name => basename(name.trim()));
    const { bundle, error, ...frozen } = await freezeBundle(path, {
      ...{ patches, patchSize, overwrite, copy, signal, all: wanted !== undefined },
      threads: config.threads || availableParallelism(),
      source: () => ({ files: used.size, from, spacing, patchSize }),
      onProgress: (done, off) => terminal.status(`${done} patches, statistics within ${percent(off)}`),
    });
    terminal.status('');
    terminal.line(`${bundle.name} ${bundle.version} in ${bundle.path}`);
    for (const line of [...normLines(bundle), ...assumedSpacing(used, mpp, spacing)]) terminal.line(line);
    const still = error <= STILL ? '' : `: they do not stand still yet (${percent(STILL)}); give more pictures`;
    terminal.line(`within      ${percent(error)} of a standard deviation${still}`);
    terminal.json({ bundle, patches: frozen.patches, files: used.size, error });
    return 0;
  },
};

/** Pictures say nothing of their spacing: what was taken for it has to be seen. */
function assumedSpacing(used: ReadonlySet<string>, mpp: number | undefined, spacing: number): string[] {
  const plain = [...used].filter(path => isImageFile(path) && !isTiffFile(path)).length;
  if (mpp !== undefined || plain === 0) return [];
  return [
    `spacing     ${plain} of the pictures counted as ${spacing} µm/px, as the model wants it: give --mpp where it is another`,
  ];
}

const percent = (part: number): string => (Number.isFinite(part) ? `${(part * 100).toFixed(1)} %` : '…');

/** Patches to calibrate on and compare; more moves the ranges no further. */
const MOST_PATCHES = 160;

export const modelQuantise: Command = {
  usage: 'model quantise <source> <bundle>',
  group: GROUP,
  summary: 'make an int8 bundle for the engine cpu: faster, with masks that differ a little',
  notes:
    'Patches with tissue, up to 160, are drawn from --images: pictures (at --mpp, or else at the spacing of the model) or slides. ' +
    'Three quarters of them calibrate, the rest show how far the two bundles differ. Measure what it costs in IoU with replay --compare.',
  options: ['images', 'mpp', 'threads', 'seed', 'overwrite', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const [source, target] = args as [string, string];
    const { images, mpp, seed, overwrite } = config;
    if (images === undefined) throw new StromaflowError('USAGE', 'model quantise needs --images <folder>');
    const { spacing, patchSize } = await loadBundle(source, signal);
    const onUnreadable = (error: unknown) => terminal.line(`left out    ${toStromaflowError(error).line}`);
    const used = new Set<string>();
    const patches = folderPatches(images, {
      ...{ spacing, patchSize, mpp, most: MOST_PATCHES, seed, onUnreadable, signal },
      onUsed: file => used.add(file),
    });
    const threads = config.threads || availableParallelism();
    const quantised = await quantiseBundle(source, target, { patches, threads, overwrite, signal });
    const { bundle, calibratedOn, comparison } = quantised;
    const { agreement, largest, mean, floatSeconds, int8Seconds } = comparison;
    const times = floatSeconds / int8Seconds;
    terminal.line(`${bundle.name} ${bundle.version} in ${bundle.path}`);
    terminal.line(`calibrated  on ${calibratedOn} patches, compared on ${comparison.patches} others`);
    for (const line of assumedSpacing(used, mpp, spacing)) terminal.line(line);
    if (comparison.patches === 0) {
      terminal.line('masks       not compared: the pictures give no patch beyond those it was calibrated on');
    } else {
      terminal.line(`masks       ${(agreement * 100).toFixed(2)} % of the pixels agree`);
      terminal.line(`logits      differ by ${mean.toFixed(3)} on average, ${largest.toFixed(3)} at most`);
    }
    const speed = `${times.toFixed(2)} × as fast here (${int8Seconds.toFixed(3)} s a patch, not ${floatSeconds.toFixed(3)} s)`;
    terminal.line(`speed       ${speed}${times < 1.1 ? ': not worth it on this machine' : ''}`);
    terminal.json({ bundle, calibratedOn, comparison });
    return 0;
  },
};

export const modelRun: Command = {
  usage: 'model run <bundle>',
  group: GROUP,
  summary: 'run a model on a picture and write its logits, to compare with PyTorch',
  notes: 'The logits are float32 [1, classes, height, width] in a .npy file.',
  options: ['image', 'logits', 'engine', 'norm', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const { image, logits, engine } = config;
    if (image === undefined || logits === undefined) {
      throw new StromaflowError('USAGE', 'model run needs --image <file> and --logits <file>');
    }
    const { outputs } = await runOnImage(args[0]!, image, logits, { engine, norm: normOf(config), signal });
    const shape = outputs[0]!.shape;
    terminal.line(`logits ${shape.join(' × ')} in ${logits}`);
    terminal.json({ logits, shape });
    return 0;
  },
};
