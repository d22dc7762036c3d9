import { join } from 'node:path';
import { lastValueFrom, tap, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { replaySet } from '#pipelines/replay.js';
import { StromaflowError } from '#src/errors.js';
import { Evaluation } from '#src/evaluate/evaluation.js';
import type { LabelledImage } from '#src/evaluate/labelled-item.js';
import { type LabelledSet, openLabelledSet } from '#src/evaluate/labelled-set.js';
import { decodeEvent } from '#src/event/decode.js';
import { openNoOutput } from '#src/store/no-output.js';
import { writeImage, writeMask } from '../evaluate/set-builder.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';

const opened: Parts[] = [];
const open = async (options: Parameters<typeof partsWith>[0]): Promise<Parts> => {
  const parts = { ...(await partsWith(options)), openOutput: openNoOutput };
  opened.push(parts);
  return parts;
};
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
});

const IMAGES = 12;
/** Images of 200 × 100 px, stroma left of the middle. */
async function labelledSet(): Promise<LabelledSet> {
  const folder = await emptyFolder();
  for (let i = 0; i < IMAGES; i++) {
    await writeImage(join(folder, 'images', `${i}.png`), 200, 100);
    await writeMask(join(folder, 'masks', `${i}.png`), 200, 100, x => (x < 100 ? 1 : 0));
  }
  return openLabelledSet(folder, { positive: '1', mpp: 0.5 });
}

/** The same set, told of each item that is asked for. */
const watched = (set: LabelledSet, asked: (item: LabelledImage) => void): LabelledSet => ({
  ...set,
  async *[Symbol.asyncIterator]() {
    for await (const item of set) {
      asked(item);
      yield item;
    }
  },
});

const SMALL = { 'patch-size': 64, 'keep-empty': true, batch: 1, 'batches-in-flight': 2, readers: 1 } as const;

describe('replaySet', () => {
  it('opens images as the graph takes them in, never the whole set', async () => {
    const parts = await open({ ...SMALL, out: await emptyFolder() });
    const set = await labelledSet();
    let asked = 0;
    let done = 0;
    let most = 0;
    const counted = watched(set, () => {
      asked++;
      most = Math.max(most, asked - done);
    });
    const evaluation = new Evaluation({ map: set.map });
    const results = await lastValueFrom(
      replaySet(counted, evaluation, parts, new AbortController().signal).pipe(
        tap(() => {
          done++;
        }),
        toArray(),
      ),
    );
    expect(results.map(({ state }) => state)).toEqual(Array(IMAGES).fill('completed'));
    expect(most).toBeLessThanOrEqual(parts.slidesAtOnce + 1);
    expect(most).toBeGreaterThan(1);
    expect(evaluation.images).toHaveLength(IMAGES);
    expect(parts.credits.free).toBe(parts.credits.total);
  });

  it('publishes a running IoU that ends at what the evaluation counted', async () => {
    const { parts, events } = recording(await open({ ...SMALL, out: await emptyFolder(), 'aggregate-interval': 0.05 }));
    const set = await labelledSet();
    const evaluation = new Evaluation({ map: set.map });
    await lastValueFrom(replaySet(set, evaluation, parts, new AbortController().signal));
    const aggregates = events.map(event => decodeEvent(event)!).filter(event => event.kind === 'aggregate');
    const finals = aggregates.map(({ aggregate }) => aggregate).filter(({ provisional }) => !provisional);
    expect(finals).toHaveLength(IMAGES);
    for (const { slide, iou } of finals) {
      const { counts } = evaluation.images.find(({ image }) => image === slide)!;
      expect(iou).toMatchObject({ intersection: counts.tp, union: counts.tp + counts.fp + counts.fn });
    }
  });

  it('ends with the fault of a set that is read strictly', async () => {
    const parts = await open({ ...SMALL, out: await emptyFolder() });
    const set = await labelledSet();
    const fault = new StromaflowError('LABELS_INVALID', 'the third is wrong');
    let asked = 0;
    const strict = watched(set, () => {
      if (++asked === 3) throw fault;
    });
    const evaluation = new Evaluation({ map: set.map });
    const replayed = lastValueFrom(replaySet(strict, evaluation, parts, new AbortController().signal));
    await expect(replayed).rejects.toBe(fault);
    expect(asked).toBe(3);
  });
});
