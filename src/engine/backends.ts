import type { BackendOptions, EngineBackend } from './backend.js';
import { entryOf } from './catalogue.js';

/** Makes the backend, importing its library only now. */
export async function createBackend(options: BackendOptions): Promise<EngineBackend> {
  switch (entryOf(options.engine).library) {
    case 'none':
      return (await import('./null-backend.js')).createNullBackend(options);
    case 'tfjs':
      return (await import('./tfjs-backend.js')).createTfjsBackend(options);
    case 'onnxruntime':
      return (await import('./ort-backend.js')).createOrtBackend(options);
  }
}
