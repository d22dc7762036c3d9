import type { EngineInfo } from '#src/engine/segmenter.js';
import { StromaflowError } from '#src/errors.js';
import type { EventBus } from '#src/event/bus.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import type { StreamFill } from '#src/event/stream/kept-events.js';
import type { StageName } from '#src/stage/observer.js';
import type { Metrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import type { TaskState } from '#src/status/sharing-metrics.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from '../event/samples.js';

const INFO: EngineInfo = {
  engine: 'cpu',
  name: 'onnxruntime',
  version: '1.30.0',
  device: 'cpu',
  model: 'starter',
  modelVersion: '0.1.0+ab',
  threshold: 0.5,
  batch: 4,
  lanes: 1,
  loadSeconds: 1,
};
export const engine = (): EngineInfo => INFO;

/** Streams as a bus has them that keeps what is published. */
export const streams = async (): Promise<StreamFill[]> =>
  (['masks', 'tasks', 'outcomes'] as const).map((kind, index) => ({
    ...{ kind, messages: 10 * index, bytes: 1000 * index, limitBytes: 1e6 },
  }));

/** Makes a process both one that hands out work and one that does it. Returns what tells of a task that is over. */
export function share({ sharing }: Pick<Metrics, 'sharing'>): (state: TaskState) => void {
  sharing.handsOut({ backlog: 48, shippedBytes: 1e6 })(2);
  return sharing.works({ standstills: 1, backlog: async () => ({ waiting: 3, inHand: 2 }) });
}

/** Makes every metric move: each stage, result, reason and kind of event, for several slides. */
export async function exercise(
  {
    observer,
    busObserver,
    engineEvent,
    modelReloaded,
  }: Pick<Metrics, 'observer' | 'busObserver' | 'engineEvent' | 'modelReloaded'>,
  { slides }: { readonly slides: number },
): Promise<void> {
  const raw: EventBus = createMemoryBus();
  const bus = observeBus(raw, [busObserver]);
  const events = createSampleEvents();
  const stages: StageName[] = ['read', 'batch', 'segment', 'publish', 'store'];
  for (let slide = 0; slide < slides; slide++) {
    const id = `slide-${slide}`;
    await bus.publish(events.slide('opened', { ...slidePayloads.opened, slide: id }));
    for (let col = 0; col < 5; col++) {
      for (const stage of stages) {
        observer.entered(stage);
        observer.left(stage, col === 4 ? 'failed' : 'ok', 0.01 * (col + 1));
      }
      observer.credits(col, 8, 0.02 * col);
      observer.acknowledged(0.3 * (col + 1));
      await bus.publish(events.mask(maskInput({ slide: id, col })));
    }
    for (const reason of ['empty', 'failed', 'missing'] as const)
      observer.dropped(reason, maskInput({ slide: id }).ref);
    for (const reason of ['full', 'delay', 'end'] as const) observer.batched(4, reason, 0.03);
    observer.inferred(4, 0.7);
    engineEvent({ type: 'restarted', failures: 1, error: new StromaflowError('ENGINE_FAILED', 'crashed') });
    modelReloaded(slide % 2 === 0 ? 'ok' : 'failed');
    await bus.publish(events.aggregate({ ...aggregate, slide: id }, 'r'));
    await bus.publish(events.slide('progress', { ...slidePayloads.progress, slide: id }));
    await bus.publish(events.dlq({ ...deadLetter, slide: id }));
    const last = (['completed', 'incomplete', 'failed'] as const)[slide % 4];
    if (last === 'completed') await bus.publish(events.slide(last, { ...slidePayloads.completed, slide: id }));
    else if (last === 'incomplete') await bus.publish(events.slide(last, { ...slidePayloads.incomplete, slide: id }));
    else if (last === 'failed') await bus.publish(events.slide(last, { ...slidePayloads.failed, slide: id }));
  }
}
