import { cpus, freemem, totalmem } from 'node:os';
import type { EngineProbe } from '../engine/probe.js';
import { type Finding, gib } from './finding.js';
import type { NvidiaReport } from './nvidia.js';

/** What is known of the machine besides the engines. */
export interface Devices {
  readonly nvidia: NvidiaReport | undefined;
}

/** The device an engine computes on. */
export interface DeviceFacts {
  readonly name: string;
  /** Bytes; undefined where nobody says. */
  readonly memoryTotal?: number | undefined;
  readonly memoryFree?: number | undefined;
  readonly driver?: string;
}

/**
 * A probe as a finding. `wanted`: the engine was asked for by name, so that it is bad when it does not run.
 */
export function engineFinding(probe: EngineProbe, threads: number, devices: Devices, wanted: boolean): Finding {
  const { name, number, found } = probe;
  const what = `engine ${name}${number ? ` ${number}` : ''}`;
  const device = found ? deviceOf(probe, devices) : undefined;
  const facts = { ...probe, ...(device && { deviceFacts: device }), ...(device && runsOnCpu(probe) && { threads }) };
  if (!found) {
    const install = probe.install === undefined ? [] : [`to have it: ${probe.install}`];
    const problem = isNvidia(probe) ? devices.nvidia?.problem : undefined;
    const lines = [probe.why ?? 'does not run', ...(problem ? [problem] : []), ...install];
    return { what, state: wanted ? 'bad' : 'absent', lines, facts };
  }
  const { loadSeconds = 0, patchSeconds = 0, patchSide } = probe;
  const speed = `loaded and warm in ${loadSeconds.toFixed(1)} s, then ${milliseconds(patchSeconds)} a patch of ${patchSide} px`;
  const lines = [`${probe.version} on ${deviceLine(probe, device!, threads)}`, speed];
  const { notFinite = [] } = probe;
  if (notFinite.length === 0) return { what, state: 'good', lines, facts };
  const wrong = `the model's scores are not finite on ${notFinite.join(', ')} [MODEL_NOT_FINITE]; run stromaflow model verify`;
  return { what, state: 'bad', lines: [...lines, wrong], facts };
}

/** The machine's own memory is said once, not for every engine. */
function deviceLine(probe: EngineProbe, device: DeviceFacts, threads: number): string {
  const { name, memoryTotal, memoryFree, driver } = device;
  if (runsOnCpu(probe)) return usesThreads(probe) ? `${name}, ${threads} threads` : name;
  const memory = memoryTotal === undefined ? [] : [`${gib(memoryTotal)} memory`];
  const free = memoryFree === undefined ? [] : [`${gib(memoryFree)} of it free`];
  return [name, ...memory, ...free, ...(driver ? [`driver ${driver}`] : [])].join(', ');
}

function deviceOf(probe: EngineProbe, { nvidia }: Devices): DeviceFacts {
  if (runsOnCpu(probe)) return { name: cpuName(), memoryTotal: totalmem(), memoryFree: freemem() };
  const gpus = nvidia?.gpus ?? [];
  if (isNvidia(probe)) {
    const gpu = gpus[probe.number ?? 0];
    return gpu ? gpuFacts(gpu) : { name: probe.device ?? 'GPU' };
  }
  // WebGPU writes 'nvidia-geforce-rtx-3090' for what nvidia-smi calls 'NVIDIA GeForce RTX 3090'.
  const gpu = gpus.find(({ name }) => probe.adapter?.startsWith(name.toLowerCase().replace(/[^a-z0-9]+/g, '-')));
  if (gpu) return gpuFacts(gpu);
  return { name: probe.adapter ?? probe.device ?? 'GPU' };
}

function gpuFacts({ name, memoryTotal, memoryFree, driver }: NvidiaReport['gpus'][number]): DeviceFacts {
  return { name, memoryTotal, memoryFree, driver };
}

const isNvidia = ({ name }: EngineProbe): boolean => ['tensorrt', 'cuda', 'tfjs-node-gpu'].includes(name);
const runsOnCpu = ({ name }: EngineProbe): boolean => ['cpu', 'tfjs-node', 'tfjs-wasm', 'tfjs-cpu'].includes(name);
const usesThreads = ({ name }: EngineProbe): boolean => name === 'cpu';

const milliseconds = (seconds: number): string =>
  seconds < 0.01 ? `${(seconds * 1000).toFixed(1)} ms` : `${Math.round(seconds * 1000).toLocaleString('en')} ms`;

/** 'AMD EPYC 7763 64-Core Processor'; on some ARM machines nobody says. */
export const cpuName = (): string => cpus()[0]?.model.replace(/\s+/g, ' ').trim() || `a ${process.arch} processor`;
