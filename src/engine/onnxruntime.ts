import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { StromaflowError } from '../errors.js';
import { firstLine } from './first-line.js';

type Onnxruntime = typeof import('onnxruntime-node');

/** The version whose results are compared with PyTorch's; of another one nothing is known. */
export const ONNXRUNTIME_VERSION = '1.30.0';

const ROOT = fileURLToPath(new URL('../../../package.json', import.meta.url));

/**
 * onnxruntime 1.30 for Linux reports its use to its maker over HTTPS and keeps an id of the machine and a queue in the user's cache
 * folder, unless this variable is set before the library is loaded. No host hears of a slide that nobody named to it.
 * Call it on the main thread: a thread's environment may be a copy that native code does not see.
 */
export function forbidTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
}

/**
 * onnxruntime: the one installed beside this package where it is of the same version, as its install script may have fetched
 * CUDA libraries; else the one that comes inside, for Linux. Throws ENGINE_UNAVAILABLE.
 */
export function loadOnnxruntime(): { readonly ort: Onnxruntime; readonly version: string } {
  for (const from of [ROOT, import.meta.url]) {
    const require = createRequire(from);
    const version = versionFrom(require);
    if (version !== ONNXRUNTIME_VERSION) continue;
    forbidTelemetry();
    try {
      return { ort: require('onnxruntime-node') as Onnxruntime, version };
    } catch (cause) {
      throw unavailable(`onnxruntime-node cannot be loaded: ${firstLine(cause)}`, cause);
    }
  }
  throw unavailable(`onnxruntime-node ${ONNXRUNTIME_VERSION} is not installed`);
}

function versionFrom(require: NodeJS.Require): string | undefined {
  try {
    return (require('onnxruntime-node/package.json') as { version: string }).version;
  } catch {
    return undefined;
  }
}

function unavailable(message: string, cause?: unknown): StromaflowError {
  const fix = `on Linux (x64, arm64) install Stromaflow again; elsewhere npm i onnxruntime-node@${ONNXRUNTIME_VERSION}`;
  return new StromaflowError('ENGINE_UNAVAILABLE', message, { cause, fix });
}
