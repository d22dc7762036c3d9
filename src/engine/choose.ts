import { StromaflowError } from '../errors.js';
import { ENGINE_NAMES, ENGINES, type EngineName } from './catalogue.js';
import { type EngineProbe, type ProbeOptions, probe } from './probe.js';
import { PROBE_SIDE } from './probe-protocol.js';

export interface Choice {
  readonly engine: EngineName;
  /** One line for people: what was chosen, and why nothing before it was; absent when it was asked for by name. */
  readonly line?: string;
}

/** onnxruntime on the best device there is; TensorFlow.js is for those who ask for it. */
const CANDIDATES = ENGINES.filter(({ library }) => library === 'onnxruntime');
/** A patch of 64 px takes a GPU a few ms and the CPU some 10; what takes longer is a software driver. */
const SLOWEST_PATCH_SECONDS = 0.1;

/**
 * Resolves 'auto' by trying the engines from fast to slow, each GPU engine in a process of its own; a name is taken as it
 * is. Throws USAGE for a name that no engine has.
 */
export async function chooseEngine(wanted: string, options: Omit<ProbeOptions, 'engines'>): Promise<Choice> {
  if (wanted !== 'auto') return { engine: engineNamed(wanted) };
  const reasons: { readonly name: string; readonly why: string }[] = [];
  for (const entry of CANDIDATES) {
    if (entry.name === 'cpu') break;
    const found = await probe(entry, options);
    const seconds = smallPatchSeconds(found);
    if (isUsable(found) && seconds <= SLOWEST_PATCH_SECONDS)
      return { engine: entry.name, line: lineOf(`${entry.name} (${found.version}, ${found.device})`, reasons) };
    reasons.push({
      name: entry.name,
      why:
        found.why ??
        (isUsable(found)
          ? `runs in software, ${seconds.toFixed(1)} s a small patch`
          : 'gives scores that are not finite'),
    });
  }
  return { engine: 'cpu', line: lineOf('cpu', reasons) };
}

/** A ready graph may take larger patches only. */
function smallPatchSeconds({ patchSeconds = Number.POSITIVE_INFINITY, patchSide = PROBE_SIDE }: EngineProbe): number {
  return patchSeconds * (PROBE_SIDE / patchSide) ** 2;
}

const isUsable = ({ found, notFinite = [] }: EngineProbe): boolean => found && notFinite.length === 0;

/** Which of these engines 'auto' takes. */
export function autoOf(probes: readonly EngineProbe[]): EngineName {
  const fast = (name: EngineName) =>
    probes.some(probe => probe.name === name && isUsable(probe) && smallPatchSeconds(probe) <= SLOWEST_PATCH_SECONDS);
  return CANDIDATES.find(({ name }) => name === 'cpu' || fast(name))!.name;
}

function engineNamed(wanted: string): EngineName {
  const engine = ENGINE_NAMES.find(name => name === wanted);
  if (engine) return engine;
  throw new StromaflowError('USAGE', `there is no engine ${wanted}`, { fix: `use auto, ${ENGINE_NAMES.join(', ')}` });
}

/** Engines that fail for the same reason share it: 'auto chose cpu; not tensorrt, cuda: no NVIDIA GPU; …'. */
function lineOf(chosen: string, reasons: readonly { readonly name: string; readonly why: string }[]): string {
  const parts = [...new Set(reasons.map(({ why }) => why))].map(why => {
    const names = reasons.filter(reason => reason.why === why).map(({ name }) => name);
    return `not ${names.join(', ')}: ${why}`;
  });
  return [`auto chose ${chosen}`, ...parts].join('; ');
}
