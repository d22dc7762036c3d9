import { constants } from 'node:fs';
import { access, mkdir, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { STARTER_MODEL } from '../../../pipelines/models.js';
import { openBus } from '../../../pipelines/parts.js';
import type { Config } from '../../config/options.js';
import { probeEngines } from '../../engine/probe.js';
import { toStromaflowError } from '../../errors.js';
import { loadBundle } from '../../model/bundle.js';
import { VERSION } from '../../version.js';
import { type Command, GENERAL, NATS } from '../command.js';
import { findProgram } from '../nats-server.js';

/** One finding; only 'bad' makes the command fail. */
interface Finding {
  readonly what: string;
  readonly state: 'good' | 'absent' | 'bad';
  readonly detail: string;
}

const MARKS = { good: '✓', absent: '–', bad: '✗' } as const;

/** Says what this machine and this configuration can do before a slide depends on it. */
export const doctor: Command = {
  usage: 'doctor',
  summary: 'check this machine, the model, the engines, NATS and the output folder',
  options: ['model', 'out', ...NATS, ...GENERAL],
  async run({ config, terminal }) {
    const findings: Finding[] = [];
    const report = (finding: Finding): void => {
      findings.push(finding);
      terminal.line(`${MARKS[finding.state]} ${finding.what.padEnd(18)} ${finding.detail}`);
    };
    report(machine());
    report(await model(config));
    for (const engine of await probeEngines()) {
      const detail = engine.found
        ? [engine.version, engine.device].filter(Boolean).join(', ')
        : [engine.why, engine.install].filter(Boolean).join('; ');
      report({ what: `engine ${engine.name}`, state: engine.found ? 'good' : 'absent', detail: detail ?? '' });
    }
    report(await nats(config));
    report(await output(config));
    terminal.json({ findings });
    return findings.some(({ state }) => state === 'bad') ? 1 : 0;
  },
};

function machine(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const supported = major > 20 || (major === 20 && minor >= 19);
  const facts = `stromaflow ${VERSION}, Node ${process.versions.node}, ${availableParallelism()} cores, ${gib(totalmem())} memory`;
  return {
    what: 'machine',
    state: supported ? 'good' : 'bad',
    detail: supported ? facts : `${facts}: Node ≥ 20.19 is needed`,
  };
}

async function model(config: Config): Promise<Finding> {
  try {
    const bundle = await loadBundle(config.model ?? STARTER_MODEL);
    const { name, version, spacing, patchSize, licence } = bundle;
    return {
      what: 'model',
      state: 'good',
      detail: `${name} ${version}, ${patchSize} px at ${spacing} µm/px; ${licence}`,
    };
  } catch (error) {
    return { what: 'model', state: 'bad', detail: toStromaflowError(error).line };
  }
}

async function nats(config: Config): Promise<Finding> {
  if (config.nats === undefined) {
    const program = findProgram('nats-server');
    const detail = program
      ? `not configured (--nats); ${program} is installed`
      : 'not configured (--nats); events stay in this process';
    return { what: 'NATS', state: 'absent', detail };
  }
  try {
    const bus = await openBus(config);
    const detail = bus.description;
    await bus.close();
    return { what: 'NATS', state: 'good', detail };
  } catch (error) {
    return { what: 'NATS', state: 'bad', detail: toStromaflowError(error).line };
  }
}

const LEAST_FREE_BYTES = 2 ** 30;

async function output({ out }: Config): Promise<Finding> {
  try {
    await mkdir(out, { recursive: true });
    await access(out, constants.W_OK);
    const { bavail, bsize } = await statfs(out);
    const free = bavail * bsize;
    const detail = `${out} can be written, ${gib(free)} free`;
    return { what: 'output', state: free < LEAST_FREE_BYTES ? 'bad' : 'good', detail };
  } catch (error) {
    return { what: 'output', state: 'bad', detail: toStromaflowError(error, 'OUTPUT_FAILED', out).line };
  }
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
