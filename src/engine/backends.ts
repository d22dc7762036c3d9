import { memberPaths } from '../model/model.js';
import type { BackendOptions, EngineBackend } from './backend.js';
import { entryOf } from './catalogue.js';

/** Makes the backend, importing its library only now: here, or in a process of its own. */
export async function createBackend(options: BackendOptions): Promise<EngineBackend> {
  if (options.isolation === 'process')
    return (await import('./process/process-backend.js')).createProcessBackend(options);
  const { library } = entryOf(options.engine);
  if (library === 'none') return (await import('./null-backend.js')).createNullBackend(options);
  const create =
    library === 'tfjs'
      ? (await import('./tfjs-backend.js')).createTfjsBackend
      : (await import('./ort-backend.js')).createOrtBackend;
  if (memberPaths(options.model).length === 1) return create(options);
  return (await import('./ensemble-backend.js')).createEnsembleBackend(options, create);
}
