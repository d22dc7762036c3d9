import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { openBus } from '../../../pipelines/buses.js';
import { devicesOf, STARTER_MODEL } from '../../../pipelines/models.js';
import type { Config } from '../../config/options.js';
import { cpuName, engineFinding } from '../../doctor/engines.js';
import { type Finding, gib, writeFinding } from '../../doctor/finding.js';
import { inotify } from '../../doctor/inotify.js';
import { libraries } from '../../doctor/libraries.js';
import { readNvidia } from '../../doctor/nvidia.js';
import { ENGINES, type EngineName } from '../../engine/catalogue.js';
import { autoOf, chooseEngine } from '../../engine/choose.js';
import { type EngineProbe, probe } from '../../engine/probe.js';
import { toStromaflowError } from '../../errors.js';
import { loadModel } from '../../model/model.js';
import { makeFolder } from '../../process/make-folder.js';
import { VERSION } from '../../version.js';
import { type Command, type CommandContext, GENERAL, NATS } from '../command.js';
import { findProgram } from '../nats-server.js';

/** Wider lines are hard to read. */
const WIDEST = 100;
/** TensorRT builds an engine for minutes, a GPU that is met first its kernels. */
const PATIENCE_SECONDS = 300;

/** Says what this machine and this configuration can do before a slide depends on it. */
export const doctor: Command = {
  usage: 'doctor',
  summary: 'check this machine, the model, the engines, NATS and the output folder',
  notes:
    'Every engine is tried with --model, on each of --devices, in a process of its own. With --engine only that one is, ' +
    'and its absence is an error.',
  options: ['model', 'engine', 'threads', 'devices', 'out', ...NATS, ...GENERAL],
  async run(context) {
    const { config, terminal } = context;
    const findings: Finding[] = [];
    const report = (finding: Finding | undefined): void => {
      if (!finding) return;
      findings.push(finding);
      const width = Math.min(WIDEST, process.stdout.columns ?? WIDEST);
      for (const line of writeFinding(finding, width)) terminal.line(line);
    };
    report(machine());
    const usable = await model(config);
    report(usable);
    for (const library of await libraries()) report(library);
    // An engine cannot show what it is worth on a model that nobody can load.
    const bundle = usable.state === 'good' ? (config.model ?? STARTER_MODEL) : STARTER_MODEL;
    for await (const finding of engines(context, bundle)) report(finding);
    report(await nats(config));
    report(await output(config));
    report(await inotify());
    terminal.json({ findings: findings.map(({ lines, ...finding }) => ({ ...finding, detail: lines.join('; ') })) });
    return findings.some(({ state }) => state === 'bad') ? 1 : 0;
  },
};

function machine(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const supported = major > 20 || (major === 20 && minor >= 19);
  const [cores, memory, free] = [availableParallelism(), totalmem(), freemem()];
  const lines = [
    `stromaflow ${VERSION}, Node ${process.versions.node}${supported ? '' : ': Node ≥ 20.19 is needed'}`,
    `${cpuName()}, ${cores} cores, ${gib(memory)} memory, ${gib(free)} of it free`,
  ];
  const facts = { version: VERSION, node: process.versions.node, cpu: cpuName(), cores, memory, free };
  return { what: 'machine', state: supported ? 'good' : 'bad', lines, facts };
}

async function model(config: Config): Promise<Finding> {
  const what = config.model === undefined ? 'starter model' : 'model';
  try {
    const { members, name, version, spacing, patchSize, licence } = await loadModel(config.model ?? STARTER_MODEL);
    const path = members.map(member => member.path).join(',');
    const lines = [`${name} ${version}, ${patchSize} px at ${spacing} µm/px`, licence];
    return { what, state: 'good', lines, facts: { path, name, version, spacing, patchSize, licence } };
  } catch (error) {
    return failed(what, error);
  }
}

/** A finding for every engine, on every device asked for; then which of them 'auto' takes. */
async function* engines({ config, terminal, signal }: CommandContext, model: string): AsyncGenerator<Finding> {
  const only = config.engine === 'auto' ? undefined : (await chooseEngine(config.engine, {})).engine;
  const numbers = config.devices === undefined ? undefined : devicesOf(config);
  const threads = config.threads || availableParallelism();
  const devices = { nvidia: await readNvidia() };
  const probes: EngineProbe[] = [];
  for (const entry of ENGINES.filter(({ name }) => (only ? name === only : name !== 'null')))
    for (const device of (hasNumbers(entry.name) && numbers) || [undefined]) {
      const options = { model, threads, full: true, timeoutSeconds: PATIENCE_SECONDS, signal };
      terminal.status(`trying ${entry.name} …`);
      const found = await probe(entry, { ...options, ...(device !== undefined && { device }) });
      terminal.status('');
      probes.push(found);
      yield engineFinding(found, threads, devices, only !== undefined);
    }
  if (only) return;
  const auto = autoOf(probes);
  yield { what: 'auto', state: 'good', lines: [`takes the engine ${auto}`], facts: { engine: auto } };
}

const hasNumbers = (name: EngineName): boolean => name === 'cuda' || name === 'tensorrt';

async function nats(config: Config): Promise<Finding> {
  const what = 'NATS';
  if (config.nats === undefined) {
    const program = findProgram('nats-server');
    const rest = program ? `${program} is installed` : 'events stay in this process';
    return { what, state: 'absent', lines: [`not configured (--nats); ${rest}`], facts: { program: program ?? null } };
  }
  try {
    const bus = await openBus(config);
    const { description } = bus;
    await bus.close();
    return { what, state: 'good', lines: [description] };
  } catch (error) {
    return failed(what, error);
  }
}

const LEAST_FREE_BYTES = 2 ** 30;

async function output({ out }: Config): Promise<Finding> {
  const what = 'output';
  try {
    await makeFolder(out);
    await access(out, constants.W_OK);
    const { bavail, bsize } = await statfs(out);
    const free = bavail * bsize;
    const lines = [`${out} can be written, ${gib(free)} free`];
    return { what, state: free < LEAST_FREE_BYTES ? 'bad' : 'good', lines, facts: { folder: out, free } };
  } catch (error) {
    return failed(what, toStromaflowError(error, 'OUTPUT_FAILED', out));
  }
}

function failed(what: string, error: unknown): Finding {
  const { code, message, fix, line } = toStromaflowError(error);
  return { what, state: 'bad', lines: [line], facts: { code, message, fix } };
}
