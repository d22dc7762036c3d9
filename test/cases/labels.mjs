import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, checkBoxes, checkNear, only, results } from './case.mjs';

/** What replay counted over the whole set. */
function score(run) {
  check(run.status === 0, run.stderr.trim().split('\n').at(-1));
  const [{ splits }] = JSON.parse(readFileSync(join(run.out, 'metrics.json'), 'utf8')).models;
  const { counts, iou } = splits.all;
  return { ...counts, iou: iou.micro.value };
}

const replay = (one, slide, labels, ...more) =>
  one.run('replay', one.at(slide), '--labels', one.at(labels), '--mpp', '0.5', '--model', one.model, ...more);

export const LABEL_CASES = {
  async '03'(one) {
    await one.make();
    const labels = ['--labels', one.at('qupath.geojson'), '--positive', 'Stroma'];
    const result = only(await one.segment(one.at('s.scn'), ...labels, '--model', one.model));
    checkBoxes(result, [
      [64, 64],
      [1024, 512],
      [1920, 1920],
    ]);
    check(result.summary.iou?.value === 1, `IoU ${result.summary.iou?.value}`);
    return `in QuPath's frame, IoU 1, bounds ${JSON.stringify(result.summary.source.bounds)}`;
  },

  async '05'(one) {
    await one.make();
    const derived = score(
      await replay(one, 'a.tiff', 'a.geojson', '--positive', 'Stroma: Inflamed', '--negative', 'Tumor'),
    );
    const single = score(await replay(one, 'a.tiff', 'single.geojson', '--positive', 'Stroma', '--negative', 'Tumor'));
    for (const { tp, iou } of [derived, single]) check(tp === 60_000 && iou === 1, `tp ${tp}, IoU ${iou}`);
    return `tp ${derived.tp}, IoU ${derived.iou} for names of two and of one`;
  },

  async '06'(one) {
    await one.make();
    const ignored = score(await replay(one, 'a.tiff', 'ignore.geojson', '--positive', 'Stroma'));
    check(ignored.tp === 600_000 && ignored.fp === 0 && ignored.iou === 1, `ignore: ${JSON.stringify(ignored)}`);
    const bare = score(await replay(one, 'a.tiff', 'unclassified.geojson', '--positive', 'Stroma'));
    check(bare.tp === 640_000 && bare.fp === 0 && bare.iou === 1, `unclassified: ${JSON.stringify(bare)}`);
    return `ignored ${ignored.tp}, unclassified ${bare.tp}, IoU 1`;
  },

  async '08'(one) {
    await one.make();
    for (const name of ['exact', 'padded', 'half-padded']) {
      const { iou } = score(await replay(one, 'slide.tiff', `${name}.tif`, '--positive', '2'));
      check(iou === 1, `${name}: IoU ${iou}`);
    }
    return 'IoU 1 in all three';
  },

  async '09'(one) {
    await one.make();
    const run = await one.segment(one.at('a.tiff'), '--model', one.model);
    const [{ summary }] = results(run.out);
    check(summary.patches.failed === 2 && run.status === 1, `${summary.patches.failed} failed, status ${run.status}`);
    checkNear(summary.area.stromaMm2, 16_384 * 0.25e-6, 1e-9, 'stroma');
    const truth = await one.run(
      'replay',
      one.at('a.tiff'),
      '--labels',
      one.at('truth.tif'),
      '--positive',
      '1',
      '--model',
      one.model,
    );
    check(truth.status === 1, `replay: status ${truth.status}`);
    return `2 failed [${summary.errors[0].code}], stroma ${summary.area.stromaMm2} mm² of the others`;
  },
};
