import { describe, expect, test } from 'vitest';
import type { StepResult, TrainBatch, Trainer, TrainState } from '#src/train/trainer.js';
import { SMALL } from '../support/formula-weights.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';

const iou = ({ intersection, predicted, labelled }: StepResult) => intersection / (predicted + labelled - intersection);

const bytesOf = ({ step, tensors }: TrainState) => ({
  step,
  tensors: new Map([...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')])),
});

/** Batches that differ from each other. */
function batches(count: number): TrainBatch[] {
  const { size, images, labels } = formulaBatch(32, 2 * count);
  const area = 2 * size * size;
  return Array.from({ length: count }, (_, i) => ({
    size,
    images: images.slice(i * area * 3, (i + 1) * area * 3),
    labels: labels.slice(i * area, (i + 1) * area),
  }));
}

async function steps(trainer: Trainer, given: readonly TrainBatch[], rate = 1e-3): Promise<number[]> {
  const losses: number[] = [];
  for (const batch of given) losses.push((await trainer.step([batch], rate)).loss);
  return losses;
}

describe('on the cpu engine', () => {
  test('the same steps give the same bits', async () => {
    const states = [];
    for (let run = 0; run < 2; run++) {
      const trainer = await formulaTrainer(SMALL);
      await steps(trainer, batches(4));
      states.push(bytesOf(await trainer.save()));
      await trainer.close();
    }
    expect(states[1]).toEqual(states[0]);
  });

  test('a run taken up from its saved state ends as one that was never broken off', async () => {
    const all = batches(6);
    const whole = await formulaTrainer(SMALL);
    const losses = await steps(whole, all);
    const first = await formulaTrainer(SMALL);
    const begun = await steps(first, all.slice(0, 3));
    const state = await first.save();
    const kept = bytesOf(state);
    // What goes on does not change what was saved.
    await steps(first, all.slice(3, 4));
    expect(bytesOf(state)).toEqual(kept);
    const second = await formulaTrainer(SMALL);
    await second.evaluate(all[5]!);
    await second.restore(state);
    expect([...begun, ...(await steps(second, all.slice(3)))]).toEqual(losses);
    expect(bytesOf(await second.save())).toEqual(bytesOf(await whole.save()));
    for (const trainer of [whole, first, second]) await trainer.close();
  });

  test('four images are learnt by heart', async () => {
    const trainer = await formulaTrainer(SMALL);
    const batch = formulaBatch(64, 4);
    const before = iou(await trainer.evaluate(batch));
    for (let step = 0; step < 150; step++) await trainer.step([batch], step < 100 ? 1e-2 : 1e-3);
    const after = await trainer.evaluate(batch);
    expect(before).toBeLessThan(0.7);
    expect(iou(after)).toBeGreaterThan(0.95);
    await trainer.close();
  });

  test('two batches in one step move the weights by the mean of their gradients', async () => {
    const [a, b] = batches(2) as [TrainBatch, TrainBatch];
    const moment = async (given: readonly TrainBatch[]) => {
      const trainer = await formulaTrainer(SMALL);
      const result = await trainer.step(given, 1e-3);
      const { tensors } = await trainer.save();
      await trainer.close();
      return { result, values: tensors.get('adam.m.encoder.layer1.0.conv1.weight')!.values, tensors };
    };
    const [one, other, both] = [await moment([a]), await moment([b]), await moment([a, b])];
    expect(both.result.loss).toBeCloseTo((one.result.loss + other.result.loss) / 2, 6);
    expect(both.result.labelled).toBe(one.result.labelled + other.result.labelled);
    const largest = Math.max(...both.values.map(Math.abs));
    both.values.forEach((value, i) => {
      expect(Math.abs(value - (one.values[i]! + other.values[i]!) / 2)).toBeLessThan(1e-5 * largest);
    });
    // The running statistics have seen both, one after the other.
    const running = ({ tensors }: { tensors: TrainState['tensors'] }) =>
      tensors.get('encoder.bn1.running_mean')!.values[0]!;
    const start = (await (await formulaTrainer(SMALL)).save()).tensors.get('encoder.bn1.running_mean')!.values[0]!;
    const [first, second] = [one, other].map(found => (running(found) - 0.9 * start) / 0.1) as [number, number];
    expect(running(both)).toBeCloseTo(0.9 * (0.9 * start + 0.1 * first) + 0.1 * second, 5);
  });

  test('pseudo-labelled batches add their gradient by their weight, and nothing to what a step came to', async () => {
    const [a, b] = batches(2) as [TrainBatch, TrainBatch];
    const step = async (given: readonly TrainBatch[], pseudo?: Parameters<Trainer['step']>[2]) => {
      const trainer = await formulaTrainer(SMALL, { normStatistics: 'frozen' });
      const result = await trainer.step(given, 1e-3, pseudo);
      const { tensors } = await trainer.save();
      await trainer.close();
      return { result, moments: tensors.get('adam.m.encoder.layer1.0.conv1.weight')!.values };
    };
    const [one, other] = [await step([a]), await step([b])];
    const both = await step([a], { batches: [b, b], weight: 0.5 });
    expect(both.result).toEqual(one.result);
    const largest = Math.max(...both.moments.map(Math.abs));
    both.moments.forEach((value, i) => {
      expect(Math.abs(value - (one.moments[i]! + 0.5 * other.moments[i]!))).toBeLessThan(1e-5 * largest);
    });
    const unsure = { ...b, labels: new Uint8Array(b.labels.length).fill(255) };
    expect(await step([a], { batches: [unsure], weight: 1 })).toEqual(one);
  });

  test('a teacher is the mean of the weights, is saved, and goes on as if it had never been', async () => {
    const decay = 0.3;
    const recipe = { teacherDecay: decay };
    const name = 'encoder.layer1.0.conv1.weight';
    const [first, second, seen] = batches(3) as [TrainBatch, TrainBatch, TrainBatch];
    const trainer = await formulaTrainer(SMALL, recipe);
    const weights = async () => (await trainer.save()).tensors.get(name)!.values;
    const mean = Float32Array.from(await weights());
    const untaught = await trainer.teach(seen);
    expect(untaught).toEqual((await trainer.evaluate(seen)).probabilities);
    for (const [step, batch] of [first, second].entries()) {
      await trainer.step([batch], 1e-2);
      const now = await weights();
      const keep = Math.min(decay, (2 + step) / (11 + step));
      for (let i = 0; i < mean.length; i++) mean[i] = keep * mean[i]! + (1 - keep) * now[i]!;
    }
    const state = await trainer.save();
    expect(state.tensors.get(`teacher.${name}`)!.values).toEqual(mean);
    expect(mean).not.toEqual(await weights());
    const taught = await trainer.teach(seen);
    expect(taught).not.toEqual((await trainer.evaluate(seen)).probabilities);
    const other = await formulaTrainer(SMALL, recipe);
    await other.restore(state);
    expect(await other.teach(seen)).toEqual(taught);
    // Weights alone, of a bundle: the teacher begins as they are.
    const bare = new Map([...state.tensors].filter(([key]) => !/^(adam|teacher)\./.test(key)));
    await other.restore({ step: 0, tensors: bare });
    expect(await other.teach(seen)).toEqual((await other.evaluate(seen)).probabilities);
    for (const each of [trainer, other]) await each.close();
    const without = await formulaTrainer(SMALL);
    await expect(without.teach(seen)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect([...(await without.save()).tensors.keys()].filter(key => key.startsWith('teacher'))).toEqual([]);
    await without.close();
  });

  test('frozen stages and their statistics stay as they are; with frozen statistics all norms do', async () => {
    const given = batches(2);
    const start = await (await formulaTrainer(SMALL)).save();
    const changed = async (recipe: Parameters<typeof formulaTrainer>[1]) => {
      const trainer = await formulaTrainer(SMALL, recipe);
      await steps(trainer, given);
      const { tensors } = await trainer.save();
      await trainer.close();
      return [...start.tensors.keys()].filter(
        name =>
          !name.startsWith('adam.') &&
          tensors.get(name)!.values.some((value, i) => value !== start.tensors.get(name)!.values[i]),
      );
    };
    const all = await changed({});
    expect(all).toContain('encoder.conv1.weight');
    expect(all).toContain('encoder.bn1.running_mean');
    const names = [...start.tensors.keys()].filter(name => !name.startsWith('adam.'));
    expect(all.length).toBe(names.length);
    const decoder = await changed({ frozen: ['encoder.'] });
    expect(decoder.sort()).toEqual(names.filter(name => !name.startsWith('encoder.')).sort());
    const still = await changed({ normStatistics: 'frozen' });
    expect(still.sort()).toEqual(names.filter(name => !name.includes('running_')).sort());
  });

  test('dropout leaves out other channels each step, the same ones for the same seed and step, and none in evaluation', async () => {
    const [batch] = batches(1) as [TrainBatch];
    const head = 'adam.m.segmentation_head.0.weight';
    // A channel that is left out in every patch has no gradient; its first moment only fades.
    const run = async (seed: number, broken: boolean) => {
      let trainer = await formulaTrainer(SMALL, { dropout: 0.7, seed });
      const probabilities = (await trainer.evaluate(batch)).probabilities!;
      const moments = [];
      for (let step = 0; step < 4; step++) {
        await trainer.step([batch], 1e-3);
        const state = await trainer.save();
        moments.push(state.tensors.get(head)!.values);
        if (!broken || step !== 1) continue;
        await trainer.close();
        trainer = await formulaTrainer(SMALL, { dropout: 0.7, seed });
        await trainer.restore(state);
      }
      await trainer.close();
      return { probabilities, moments };
    };
    const [a, again, other] = [await run(1, false), await run(1, true), await run(2, false)];
    expect(again).toEqual(a);
    expect(other.moments).not.toEqual(a.moments);
    expect(other.probabilities).toEqual(a.probabilities);
    const first = [a, other].flatMap(({ moments }) =>
      Array.from({ length: 8 }, (_, c) => moments[0]!.slice(9 * c, 9 * c + 9)),
    );
    const silent = first.filter(values => values.every(value => value === 0));
    expect(silent.length).toBeGreaterThan(0);
    expect(silent.length).toBeLessThan(first.length);
  });

  test('at rate 0 no weight moves', async () => {
    for (const optimizer of ['adam', 'adamw'] as const) {
      const trainer = await formulaTrainer(SMALL, { optimizer, weightDecay: 0.1 });
      const before = await trainer.save();
      await steps(trainer, batches(2), 0);
      const after = await trainer.save();
      for (const [name, { values }] of before.tensors)
        if (!/^adam|running/.test(name)) expect(after.tensors.get(name)!.values, name).toEqual(values);
      expect(after.step).toBe(2);
      await trainer.close();
    }
  });

  test('what ignored pixels show changes neither loss nor counts, and a batch of nothing else moves no weight', async () => {
    const trainer = await formulaTrainer({ ...SMALL, decoder_use_norm: false }, { normStatistics: 'frozen' });
    const batch = batches(1)[0]!;
    const result = await trainer.evaluate(batch);
    const counted = batch.labels.reduce((sum, label) => sum + (label === 1 ? 1 : 0), 0);
    expect(result.labelled).toBe(counted);
    const above = result.probabilities!.reduce((sum, p, i) => sum + (p >= 0.5 && batch.labels[i] !== 255 ? 1 : 0), 0);
    expect(result.predicted).toBe(above);
    for (const loss of ['dice', 'bce-dice', 'focal'] as const) {
      const other = await formulaTrainer(SMALL, { loss });
      const before = await other.save();
      const none = await other.step([{ ...batch, labels: new Uint8Array(batch.labels.length).fill(255) }], 1e-3);
      expect(none.loss).toBe(0);
      expect((await other.save()).tensors.get('encoder.conv1.weight')).toEqual(
        before.tensors.get('encoder.conv1.weight'),
      );
      await other.close();
    }
    await trainer.close();
  });

  test('a state of another network, and one of other frozen stages, are refused and change nothing', async () => {
    const [trainer, other] = [
      await formulaTrainer(SMALL),
      await formulaTrainer({ ...SMALL, decoder_channels: [16, 8, 4] }),
    ];
    const before = bytesOf(await trainer.save());
    await expect(trainer.restore(await other.save())).rejects.toThrow(/decoder\.blocks\.2.*needs/);
    const partly = await formulaTrainer(SMALL, { frozen: ['encoder.'] });
    await expect(trainer.restore(await partly.save())).rejects.toThrow(/none for adam\.m\.encoder/);
    expect(bytesOf(await trainer.save())).toEqual(before);
    const { step, tensors } = await trainer.save();
    const weights = new Map([...tensors].filter(([name]) => !name.startsWith('adam.')));
    await trainer.restore({ step, tensors: weights });
    for (const each of [trainer, other, partly]) await each.close();
  });

  test('several classes, an engine without a network and a batch that does not fit are refused', async () => {
    await expect(formulaTrainer({ ...SMALL, classes: 3 })).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
    await expect(formulaTrainer(SMALL, {}, 'null')).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const trainer = await formulaTrainer(SMALL);
    const batch = batches(1)[0]!;
    await expect(trainer.step([{ ...batch, labels: batch.labels.slice(1) }], 1e-3)).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(trainer.step([{ ...batch, size: 16 }], 1e-3)).rejects.toMatchObject({ code: 'USAGE' });
    await trainer.close();
  });
});
