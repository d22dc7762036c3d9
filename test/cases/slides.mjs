import { check, checkBoxes, checkNear, checkRefused, only, places, results } from './case.mjs';

const counts = ({ patches }) =>
  `${patches.segmented} segmented, ${patches.empty} empty, ${patches.missing} missing, ${patches.failed} failed`;
const mm2 = ({ area }) => `stroma ${area.stromaMm2.toFixed(6)}, tissue ${area.tissueMm2.toFixed(4)} mm²`;
const noteCodes = ({ notes }) => notes.map(note => note.code);

/** What is right, by the number of the case: each resolves to what was seen, or rejects with what is wrong. */
export const SLIDE_CASES = {
  async '01'(one) {
    await one.make();
    const run = await one.segment(one.at('ok'), one.at('padded'), '--model', one.model);
    const [ok, padded] = ['ok', 'padded'].map(id => results(run.out).find(result => result.id === id));
    check(ok && padded, run.stderr.trim());
    for (const result of [ok, padded]) {
      checkBoxes(result, [
        [96, 96],
        [96, 2208],
        [1152, 480],
        [2208, 960],
        [2208, 2208],
      ]);
      checkNear(result.summary.area.tissueMm2, 0.3364, 0.005, `${result.id}: tissue`);
    }
    return `both ${places(padded.boxes)}, ${mm2(padded.summary)}`;
  },

  async '02'(one) {
    await one.make();
    const slides = ['ok', 'a-zero', 'b-garbled'].map(name => one.at(`${name}.svs`));
    const run = await one.segment(...slides, '--model', one.model);
    const found = results(run.out);
    check(found.length === 3, run.stderr.trim());
    for (const result of found) {
      check(result.summary.patches.segmented === 16, `${result.id}: ${counts(result.summary)}`);
      checkNear(result.summary.area.tissueMm2, 1.0486, 0.001, `${result.id}: tissue`);
      check(result.boxes.length === 4, `${result.id}: ${places(result.boxes)}`);
    }
    const coarse = only(await one.segment(one.at('c-zero-read.svs'), '--model', one.at('model1')));
    check(coarse.summary.patches.segmented === 16, `c-zero-read: ${counts(coarse.summary)}`);
    checkNear(coarse.summary.area.tissueMm2, 1.0486, 0.001, 'c-zero-read: tissue');
    return `three: ${counts(found[0].summary)}; the tile that is read from the finer level: ${counts(coarse.summary)}`;
  },

  async 12(one) {
    await one.make();
    const names = ['YBR_FULL_422-mct0', 'YBR_FULL_422-mct1', 'YBR_ICT-mct0', 'YBR_ICT-mct1'];
    for (const name of names) {
      const result = only(await one.segment(one.at(name), '--model', one.model));
      checkBoxes(result, [
        [64, 64],
        [320, 352],
      ]);
    }
    return `(64,64) (320,352) in all ${names.length}`;
  },

  async 13(one) {
    await one.make();
    const two = await one.segment(one.at('two.ome.tif'), '--model', one.model);
    const scenes = results(two.out);
    check(
      scenes.length === 2 || noteCodes(scenes[0].summary).includes('image-left-out'),
      'two: no word of the second scene',
    );
    const macro = only(await one.segment(one.at('macrofirst.ome.tif'), '--model', one.model));
    checkBoxes(macro, [
      [640, 640],
      [1024, 1024],
    ]);
    for (const name of ['cm', 'ref']) {
      const result = only(await one.segment(one.at(`${name}.ome.tif`), '--model', one.model));
      checkBoxes(result, [[64, 64]]);
      checkNear(result.summary.source.mpp, 0.5, 1e-6, `${name}: mpp`);
    }
    return `two: ${scenes.length} slides, ${scenes.flatMap(scene => noteCodes(scene.summary)).join(' ') || 'no note'}; macrofirst, cm, ref right`;
  },

  async 14(one) {
    await one.make();
    const slides = ['flat', 'premultiplied', 'straight'].map(name => one.at(`${name}.tiff`));
    const run = await one.segment(...slides, '--threads', '1');
    const found = results(run.out);
    const flat = found.find(({ id }) => id === 'flat');
    check(found.length === 3 && flat, run.stderr.trim());
    for (const { id, summary } of found) {
      checkNear(summary.area.stromaMm2, flat.summary.area.stromaMm2, 0.005, `${id}: stroma`);
      check(summary.area.stromaFraction <= 1, `${id}: fraction ${summary.area.stromaFraction}`);
    }
    return found.map(({ id, summary }) => `${id} ${mm2(summary)}`).join('; ');
  },

  async 15(one) {
    await one.make();
    const { summary } = only(await one.segment(one.at('aniso.tiff'), '--model', one.model));
    checkNear(summary.area.tissueMm2, 0.131072, 0.01, 'tissue');
    checkNear(summary.area.stromaMm2, 0.001024, 0.05, 'stroma');
    check(noteCodes(summary).includes('axes-differ'), 'no word of the axes');
    return `${mm2(summary)}, ${JSON.stringify(summary.source.axes)}`;
  },

  async 16(one) {
    await one.make();
    const result = only(await one.segment(one.at('comma.svs'), '--model', one.model));
    checkBoxes(result, [[64, 64]]);
    return `${result.summary.source.mpp} µm/px, ${places(result.boxes)}`;
  },

  async 17(one) {
    await one.make();
    const { summary } = only(await one.segment(one.at('grey.tiff'), '--model', one.model));
    check(summary.patches.segmented === 4, counts(summary));
    check(noteCodes(summary).includes('grey'), 'no word that it is grey');
    return `${counts(summary)}; ${summary.notes[0].message}`;
  },

  async 19(one) {
    await one.make();
    const run = await one.segment(one.at('p'), '--mpp', '0.5', '--model', one.model);
    return checkRefused(run, /row and a column|INCOMPLETE/);
  },

  async 20(one) {
    await one.make();
    const result = only(await one.segment(one.at('thumb'), '--model', one.model));
    checkBoxes(result, [
      [64, 64],
      [832, 320],
    ]);
    return places(result.boxes);
  },

  async 21(one) {
    await one.make();
    const run = await one.segment(one.at('planes'), '--model', one.model);
    const result = only(run);
    checkBoxes(result, [
      [64, 64],
      [832, 320],
    ]);
    check(noteCodes(result.summary).includes('plane-left-out'), 'no word of the other planes');
    return `${places(result.boxes)}; ${result.summary.notes[0].message}`;
  },
};
