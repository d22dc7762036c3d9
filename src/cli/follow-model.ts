import { setTimeout as sleep } from 'node:timers/promises';
import { modelPath } from '../../pipelines/models.js';
import type { Parts } from '../../pipelines/parts.js';
import { toStromaflowError } from '../errors.js';
import { modelStamp } from '../model/bundle-stamp.js';
import type { Terminal } from './terminal.js';

/**
 * Takes up a new model without stopping: on SIGHUP, and when the bundle's files have changed and then stood still for one
 * look. Slides opened from then on are segmented by it, the others end with the model they began with; a bundle that cannot
 * be used is reported and changes nothing. The function that is returned ends it.
 *
 * @param reloaded told how each attempt that found a change went
 */
export function followModel(
  { models, config }: Pick<Parts, 'models' | 'config'>,
  terminal: Terminal,
  reloaded: (result: 'ok' | 'failed') => void,
): () => Promise<void> {
  const stop = new AbortController();
  const reload = async (): Promise<void> => {
    try {
      const model = await models.reload(stop.signal);
      if (!model) return;
      const { model: name, modelVersion } = model.segmenter.info;
      reloaded('ok');
      terminal.line(`model      ${name} ${modelVersion} for slides opened from now on`);
      terminal.json({ event: 'model-changed', model: name, version: modelVersion });
    } catch (error) {
      if (stop.signal.aborted) return;
      reloaded('failed');
      terminal.problem(`the model stays as it is: ${toStromaflowError(error, 'MODEL_INVALID').line}`);
    }
  };

  const looking = (async (): Promise<void> => {
    const look = (): Promise<string> => modelStamp(modelPath(config));
    let known = await look();
    for (let last = known; ; ) {
      await sleep(config.poll * 1000, undefined, { signal: stop.signal });
      const now = await look();
      if (now !== '' && now !== known && now === last) {
        known = now;
        await reload();
      }
      last = now;
    }
  })().catch(() => undefined);

  const onHangUp = (): void => void reload();
  process.on('SIGHUP', onHangUp);
  return async () => {
    process.off('SIGHUP', onHangUp);
    stop.abort();
    await looking;
  };
}
