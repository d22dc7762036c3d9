import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fromWire } from '../errors.js';
import { ENGINES, type EngineEntry, type EngineName } from './catalogue.js';
import { firstLine } from './first-line.js';
import type { ProbeReply, ProbeRequest } from './probe-protocol.js';

/** What one engine is worth on this machine. */
export interface EngineProbe {
  readonly name: EngineName;
  readonly title: string;
  /** It ran the model. */
  readonly found: boolean;
  /** Library and version, as 'onnxruntime 1.30.0'. */
  readonly version?: string;
  readonly device?: string;
  /** Number of the GPU that was tried, where one was asked for. */
  readonly number?: number;
  /** Name of the GPU that WebGPU takes, where it can be told. */
  readonly adapter?: string;
  /** Seconds to load the model and run it first, and for one patch once warm. */
  readonly loadSeconds?: number;
  readonly patchSeconds?: number;
  /** Side of that patch in pixels. */
  readonly patchSide?: number;
  /** Pictures, black, white and the like, on which the model gives scores that are NaN or infinite there. */
  readonly notFinite?: readonly string[];
  /** Only when not found: the reason, and what to do about it. */
  readonly why?: string;
  readonly install?: string;
}

export interface ProbeOptions {
  /** All but 'null' unless given. */
  readonly engines?: readonly EngineName[];
  /** Bundle folder; the starter model unless given. */
  readonly model?: string;
  readonly threads?: number;
  /** Number of the NVIDIA GPU; the first unless given. */
  readonly device?: number;
  /** Also run a whole patch of the model, where that takes no longer than some seconds, and name the GPU. */
  readonly full?: boolean;
  readonly cacheFolder?: string;
  /** Most seconds an engine may take; 60 unless given. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

const STARTER_MODEL = fileURLToPath(new URL('../../../models/stroma-fpn-resnet34-starter', import.meta.url));

/**
 * Tries the engines one after the other, each in a process of its own, so that a driver that crashes or hangs is a
 * finding and not the end. In the order `auto` prefers them.
 */
export async function probeEngines(options: ProbeOptions = {}): Promise<EngineProbe[]> {
  const wanted = ENGINES.filter(({ name }) => options.engines?.includes(name) ?? name !== 'null');
  const probes: EngineProbe[] = [];
  for (const engine of wanted) probes.push(await probe(engine, options));
  return probes;
}

/** Tries one engine in a process of its own. Never rejects but with the signal's reason. */
export async function probe(
  { name, title, hopeless, install }: EngineEntry,
  options: ProbeOptions,
): Promise<EngineProbe> {
  const absent = (why: string): EngineProbe => ({ name, title, found: false, why, ...(install && { install }) });
  const reason = hopeless?.();
  if (reason) return absent(reason);
  const number = options.device === undefined ? {} : { number: options.device };
  try {
    const { type, ...ran } = await tryOut(name, options);
    const adapter = options.full && name.endsWith('webgpu') ? await adapterName(options) : undefined;
    return { name, title, found: true, ...number, ...ran, ...(adapter !== undefined && { adapter }) };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { ...absent(firstLine(error)), ...number };
  }
}

type Trial = Extract<ProbeReply, { type: 'ran' }>;

async function tryOut(engine: EngineName, options: ProbeOptions): Promise<Trial> {
  const { model = STARTER_MODEL, threads = 2, device = 0, full = false, cacheFolder } = options;
  const backend = { engine, model, threads, device, ...(cacheFolder && { cacheFolder }) };
  return (await ask({ backend, full }, options)) as Trial;
}

/** Asked for in a process of its own, since two WebGPU libraries in one may not get on. */
async function adapterName(options: ProbeOptions): Promise<string | undefined> {
  try {
    return ((await ask({ backend: {}, adapter: true }, options)) as Extract<ProbeReply, { type: 'adapter' }>).adapter;
  } catch {
    return undefined;
  }
}

function ask(request: ProbeRequest, { timeoutSeconds = 60, signal }: ProbeOptions): Promise<ProbeReply> {
  const child = fork(new URL('./probe.child.js', import.meta.url), {
    // Native libraries print what they miss; the probe says it better.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    ...(signal && { signal }),
  });
  return new Promise<ProbeReply>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutSeconds} s`)), timeoutSeconds * 1000);
    child.on('message', (reply: ProbeReply) =>
      reply.type === 'failed' ? reject(fromWire(reply.error)) : resolve(reply),
    );
    child.on('error', reject);
    child.on('exit', (code, killedBy) => reject(new Error(`it crashed (${killedBy ?? `exit status ${code}`})`)));
    child.once('exit', () => clearTimeout(timer));
    child.send(request);
  }).finally(() => child.kill('SIGKILL'));
}
