import { describe, expect, it } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { freezeNorms } from '#src/model/graph/freeze.js';
import { IMAGENET } from '#src/model/manifest.js';
import { createThreadTrainer } from '#src/train/thread-trainer.js';
import { createTrainer, type Trainer, type TrainState } from '#src/train/trainer.js';
import { formulaWeights } from '../support/formula-weights.js';
import { formulaBatch, RECIPE } from '../support/train-batch.js';

const recipe = { ...RECIPE, teacherDecay: 0.5, threads: 1 };
/** With group norms, which are frozen; their statistics are no parameters. */
const NETWORK = {
  ...{ _model_class: 'FPN', encoder_name: 'resnet18' },
  ...{ decoder_pyramid_channels: 32, decoder_segmentation_channels: 32 },
};

function network(config: Readonly<Record<string, unknown>> = NETWORK) {
  const graph = freezeNorms(buildNetwork(parseArchitecture(config, 'config.json')));
  const read = async (name: string) => {
    const shape = graph.parameters.get(name) ?? [1];
    return formulaWeights(name, shape) as Float32Array<ArrayBuffer>;
  };
  return { graph, source: { read }, input: IMAGENET };
}

const bytesOf = ({ step, tensors }: TrainState) => ({
  step,
  tensors: new Map([...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')])),
});

describe('a trainer in a thread', () => {
  it('comes to the same bits as one without, and answers while it computes', async () => {
    const batch = formulaBatch(64, 4);
    const run = async (trainer: Trainer) => {
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 1);
      const results = [
        await trainer.step([batch], 1e-3, { batches: [batch], weight: 0.5 }),
        await trainer.evaluate(batch),
        await trainer.teach(batch),
      ];
      clearInterval(ticking);
      const state = await trainer.save();
      await trainer.step([batch], 1e-3);
      await trainer.restore(state);
      const again = await trainer.step([batch], 1e-3);
      const end = bytesOf(await trainer.save());
      await trainer.close();
      return { ticks, results, again, end };
    };
    const within = await run(await createTrainer(network(), recipe, { engine: 'cpu' }));
    const beside = await run(await createThreadTrainer(network(), recipe, { engine: 'cpu' }));
    expect({ ...beside, ticks: 0 }).toEqual({ ...within, ticks: 0 });
    expect(beside.ticks).toBeGreaterThan(2 * within.ticks + 10);
  });

  it('says what is wrong by its code, at the beginning and in a step, and is no more after it was closed', async () => {
    const opened = (config: Readonly<Record<string, unknown>>, engine: 'cpu' | 'null' = 'cpu') =>
      createThreadTrainer(network(config), recipe, { engine });
    await expect(opened({ ...NETWORK, classes: 3 })).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
    await expect(opened(NETWORK, 'null')).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(createThreadTrainer(network(), recipe, { engine: 'cpu', signal: stop })).rejects.toThrow('enough');
    const trainer = await opened(NETWORK);
    const batch = formulaBatch(32, 1);
    await expect(trainer.step([{ ...batch, size: 16 }], 1e-3)).rejects.toMatchObject({ code: 'USAGE' });
    expect((await trainer.step([batch], 1e-3)).loss).toBeGreaterThan(0);
    await trainer.close();
    await trainer.close();
    await expect(trainer.step([batch], 1e-3)).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
  });
});
