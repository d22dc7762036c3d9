import type { BackendOptions, EngineBackend } from './backend.js';
import { entryOf } from './catalogue.js';

/** Makes the backend, importing its library only now: here, or in a process of its own. */
export async function createBackend(options: BackendOptions): Promise<EngineBackend> {
  if (options.isolation === 'process')
    return (await import('./process/process-backend.js')).createProcessBackend(options);
  switch (entryOf(options.engine).library) {
    case 'none':
      return (await import('./null-backend.js')).createNullBackend(options);
    case 'tfjs':
      return (await import('./tfjs-backend.js')).createTfjsBackend(options);
    case 'onnxruntime':
      return (await import('./ort-backend.js')).createOrtBackend(options);
  }
}
