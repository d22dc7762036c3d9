import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { emptyFolder } from '../support/paths.js';
import { makeReadyBundle, type ReadyGraph } from '../support/ready-graph.js';

let root: string;
beforeAll(async () => {
  root = await emptyFolder();
});
afterAll(() => rm(root, { recursive: true }));

const open = async (name: string, graph: ReadyGraph, isolation: 'process' | 'thread') => {
  const model = await makeReadyBundle(join(root, name), graph);
  const arena = new Arena({ slots: 2, patchSize: 64 });
  const cacheFolder = join(root, 'cache');
  return createSegmenter({ engine: 'cpu', model, arena, batch: 2, threads: 1, cacheFolder, isolation });
};

/** Red, and as many channels of it as there are letters. */
const channels =
  (count: number): ReadyGraph['build'] =>
  (out, input, output) =>
    void out.node('Gather', [input, out.integers('red', Array(count).fill(0))], { axis: 1 }, output);
const halved: ReadyGraph['build'] = (out, input, output) => {
  const red = out.node('Gather', [input, out.integers('red', [0])], { axis: 1 });
  out.node('MaxPool', [red], { kernel_shape: [2, 2], strides: [2, 2] }, output);
};

describe.each(['process', 'thread'] as const)('a ready graph in a %s', isolation => {
  it('whose map is half as large as its patch is refused, whether its file says so or not', async () => {
    for (const [name, side] of [
      ['halved', 'H'],
      ['stated', 32],
    ] as const)
      await expect(open(name, { build: halved, side }, isolation)).rejects.toMatchObject({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringMatching(/map is \[1, 1, 32, 32\] for an image of 64 × 64 pixels/),
      });
  });

  it('that makes two channels of one class is at fault itself, not the engine', async () => {
    const refused = open('two', { build: channels(2), classes: 'C' }, isolation);
    await expect(refused).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/cannot be run with a map of one class: /),
      fix: expect.stringContaining('list a class for each channel'),
    });
  });

  it('that makes a map of its patch is taken, whatever its file says', async () => {
    const segmenter = await open(
      'fits',
      { build: channels(1), classes: 'C', manifest: { output: 'logits' } },
      isolation,
    );
    expect(segmenter.info.engine).toBe('cpu');
    await segmenter.close();
  });
});
