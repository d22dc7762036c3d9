import { describe, expect, test } from 'vitest';
import { type LoadedModel, ModelSwitch } from '#src/engine/model-switch.js';
import { StromaflowError } from '#src/errors.js';
import type { Model } from '#src/model/model.js';

/** Loads what `next` says: a version, nothing new, or an error. Remembers which were closed. */
function loader() {
  const closed: string[] = [];
  const control: { next: string | Error | undefined; wait: Promise<void> } = { next: '1', wait: Promise.resolve() };
  const load = async (): Promise<LoadedModel | undefined> => {
    const { next } = control;
    await control.wait;
    if (next instanceof Error) throw next;
    if (next === undefined) return undefined;
    const segmenter = { info: {}, segment: () => Promise.reject(), close: async () => void closed.push(next) };
    return { model: { version: next } as Model, segmenter: segmenter as unknown as LoadedModel['segmenter'] };
  };
  return { load, control, closed };
}

describe('ModelSwitch', () => {
  test('gives slides the newest model, and keeps the one before until its last slide is done', async () => {
    const { load, control, closed } = loader();
    const models = await ModelSwitch.open(load);
    const [first, second] = [models.take(), models.take()];
    control.next = '2';
    expect((await models.reload())?.model.version).toBe('2');
    expect(models.take().model.version).toBe('2');
    models.release(first);
    expect(first.retired.aborted).toBe(false);
    models.release(second);
    expect(second.retired.aborted).toBe(true);
    expect(closed).toEqual(['1']);
    await models.close();
    expect(closed).toEqual(['1', '2']);
  });

  test('lets a model without slides go at once', async () => {
    const { load, control, closed } = loader();
    const models = await ModelSwitch.open(load);
    const idle = models.current;
    control.next = '2';
    await models.reload();
    expect(idle.retired.aborted).toBe(true);
    expect(closed).toEqual(['1']);
  });

  test('an idle current model stays', async () => {
    const { load, closed } = loader();
    const models = await ModelSwitch.open(load);
    models.release(models.take());
    expect(models.current.retired.aborted).toBe(false);
    expect(closed).toEqual([]);
  });

  test('a model that has not changed, or cannot be loaded, changes nothing', async () => {
    const { load, control, closed } = loader();
    const models = await ModelSwitch.open(load);
    const before = models.current;
    control.next = undefined;
    expect(await models.reload()).toBeUndefined();
    control.next = new StromaflowError('MODEL_INVALID', 'half a file');
    await expect(models.reload()).rejects.toThrow('half a file');
    expect(models.current).toBe(before);
    control.next = '2';
    expect((await models.reload())?.model.version).toBe('2');
    expect(closed).toEqual(['1']);
  });

  test('two calls at once load once', async () => {
    const { load, control } = loader();
    const models = await ModelSwitch.open(load);
    control.next = '2';
    const [one, other] = await Promise.all([models.reload(), models.reload()]);
    expect(one).toBe(other);
  });

  test('a model that is loaded while all is closed is closed too', async () => {
    const { load, control, closed } = loader();
    const models = await ModelSwitch.open(load);
    let go = (): void => undefined;
    control.wait = new Promise(resolve => {
      go = resolve;
    });
    control.next = '2';
    const reloading = models.reload();
    const closing = models.close();
    go();
    expect(await reloading).toBeUndefined();
    await closing;
    expect(closed.sort()).toEqual(['1', '2']);
  });
});
