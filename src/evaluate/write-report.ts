import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type StromaflowError, toStromaflowError } from '../errors.js';
import { makeFolder } from '../process/make-folder.js';
import { type BootstrapOptions, DEFAULT_RESAMPLES } from './bootstrap.js';
import { compareModels } from './compare.js';
import type { Evaluation, ScoredSlide } from './evaluation.js';
import { addFacts, isPlain, NO_FACTS, namedFacts } from './label-facts.js';
import type { LabelledImage } from './labelled-item.js';
import type { LabelledSet } from './labelled-set.js';
import { isOpen } from './labels.js';
import { type EvaluationReport, type Example, type ModelFacts, type ModelResult, STUDY } from './metrics.js';
import { type OpenItemOptions, openItem, openLabels, openPixels } from './open-item.js';
import { readPatchLabels } from './patch-labels.js';
import type { PatchSpool } from './patch-spool.js';
import { chooseExamples } from './report/examples.js';
import { reportedSplit, reportHtml } from './report/html.js';
import { writePatchRows } from './report/patch-rows.js';
import { drawPatch, type PictureSet } from './report/pictures.js';
import { readCorePixels } from './report/read-pixels.js';
import { ImageSums, seenBefore } from './seen.js';
import type { Split } from './split.js';
import { isTigerQuestion, summariseModel } from './summarise.js';

/** A model after its replay. */
export interface EvaluatedModel {
  readonly facts: ModelFacts;
  readonly evaluation: Evaluation;
  /** The sink its evaluation was given. */
  readonly spool: PatchSpool;
  /** SHA-256 of the images it was trained on, where its bundle lists them. */
  readonly seen?: ReadonlySet<string> | undefined;
  /** Wall time of the replay. */
  readonly seconds?: number;
}

export interface WriteReportOptions extends OpenItemOptions, Partial<BootstrapOptions> {
  readonly set: LabelledSet;
  readonly models: readonly EvaluatedModel[];
  readonly split?: Split | undefined;
  readonly faults?: readonly StromaflowError[];
  /** Pictures of each sort; 2 unless given, 0 for none. */
  readonly examples?: number;
  readonly now?: Date;
}

/**
 * Writes metrics.json, patches.csv and report.html into `folder`, and returns what metrics.json holds. The spools stay.
 * @throws OUTPUT_FULL, OUTPUT_FAILED; what opening the shown images throws
 */
export async function writeReport(folder: string, options: WriteReportOptions): Promise<EvaluationReport> {
  const { set, models } = options;
  const seed = options.seed ?? 1;
  const resamples = options.resamples ?? DEFAULT_RESAMPLES;
  const slides = new Map(models.flatMap(({ evaluation }) => [...evaluation.slides]));
  const tiger = isTigerQuestion(set.map);
  const truths = [...slides.values()]
    .map(({ item, facts }) => namedFacts(item.maskPath, facts))
    .reduce(addFacts, NO_FACTS);
  const name = basename(resolve(set.folder));
  const sums = new ImageSums();
  const results = await Promise.all(
    models.map(async ({ facts, evaluation, seconds, seen }) => {
      const result = summariseModel(facts, evaluation, {
        map: set.map,
        tiger,
        seed,
        resamples,
        ...(seconds !== undefined && { replaySeconds: seconds }),
      });
      const known = await seenBefore(askedOf(facts, seen, options.split), itemsOf(evaluation, result), name, sums);
      const images = result.images.map(image =>
        slides.get(image.image)?.item.patientUnknown ? { ...image, patientUnknown: true as const } : image,
      );
      return { ...result, images, ...(known && { seen: known }) };
    }),
  );
  const named = models.map(({ facts, evaluation, spool }) => ({ name: facts.name, evaluation, spool }));
  const each = options.examples ?? 2;
  const examples = each > 0 ? await chooseExamples(named, { split: reportedSplit({ models: results }), each }) : [];
  const [first] = slides.values();
  const report: EvaluationReport = {
    format: 'stromaflow-evaluation/1',
    createdAt: (options.now ?? new Date()).toISOString(),
    set: {
      name,
      layout: set.layout,
      images: slides.size,
      patients: new Set([...slides.values()].map(({ item }) => item.patient)).size,
      unknownPatients: [...slides.values()].filter(({ item }) => item.patientUnknown).length,
      labels: set.map.classes.map(({ value, name, meaning }) => ({ value, name, meaning })),
      undeclared: isOpen(set.map) ? 'negative' : 'fault',
      faults: (options.faults ?? []).map(fault => fault.message),
      ...(!isPlain(truths) && { truths }),
    },
    protocol: {
      spacing: options.spacing,
      patchSize: first?.plan.patchSize ?? 0,
      margin: first?.plan.margin ?? 0,
      padding: first?.plan.padding ?? 'zero',
      ...(first?.plan.blended && { blended: true as const }),
      ...(first?.plan.openBelow !== undefined && { openBelow: first.plan.openBelow }),
      ...(first?.plan.closeBelow !== undefined && { closeBelow: first.plan.closeBelow }),
      ...(options.split && { split: { by: options.split.by, seed: options.split.seed } }),
      bootstrap: { unit: 'patient', resamples, seed },
    },
    study: STUDY,
    models: results,
    comparisons: compareModels(named, { seed, resamples }),
    examples,
  };
  const pictures: PictureSet[] = [];
  for (const example of examples) pictures.push(await drawExample(example, slides.get(example.image)!, options));
  try {
    await makeFolder(folder);
    await writeFile(join(folder, 'metrics.json'), `${JSON.stringify(report, null, 1)}\n`);
    await writeFile(join(folder, 'report.html'), reportHtml(report, pictures));
  } catch (error) {
    throw toStromaflowError(error, 'OUTPUT_FAILED', folder);
  }
  await writePatchRows(join(folder, 'patches.csv'), named, image => slides.get(image)!.item);
  return report;
}

/** Images that the report's scores are of: with a split, those of the split that it shows. */
function itemsOf(evaluation: Evaluation, result: ModelResult): LabelledImage[] {
  const split = reportedSplit({ models: [result] });
  const shown = new Set(result.images.filter(image => image.split === split).map(({ image }) => image));
  const items = [...evaluation.slides.values()].map(({ item }) => item);
  return split === 'all' ? items : items.filter(({ id }) => shown.has(id));
}

/** A model that lists the images it saw may have been trained on another part of the set, which its provenance then names. */
function askedOf(facts: ModelFacts, seen: ReadonlySet<string> | undefined, split: Split | undefined) {
  if (!split || !seen) return { ...facts, seen };
  const { provenance: _, ...others } = facts;
  return { ...others, seen };
}

async function drawExample(example: Example, slide: ScoredSlide, options: WriteReportOptions): Promise<PictureSet> {
  const { item, plan } = slide;
  const { col, row } = example;
  const opened = await openItem(item, options);
  const source = await openPixels(opened);
  const truth = await openLabels(item, opened.info, options.set.map, options.set.reading);
  try {
    const rgb = await readCorePixels(source, plan, col, row);
    const labels = await readPatchLabels(truth, plan, { col, row }, options.set.map);
    const masks = await Promise.all(
      options.models.map(async ({ spool }) => {
        const patches = await spool.read(example.image);
        const found = patches.find(patch => patch.col === col && patch.row === row);
        return found?.mask ?? new Uint8Array(labels.positive.length);
      }),
    );
    return await drawPatch({ rgb, labels }, masks);
  } finally {
    source.close();
    await truth.close();
  }
}
