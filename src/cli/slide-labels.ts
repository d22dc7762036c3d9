import { stat } from 'node:fs/promises';
import type { Parts } from '../../pipelines/parts.js';
import type { Config } from '../config/options.js';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { describeLeftOut, type LabelFacts } from '../evaluate/label-facts.js';
import { isAnnotation } from '../evaluate/label-source.js';
import { parseLabelMap } from '../evaluate/labels.js';
import { labelsAt } from '../evaluate/labels-at.js';
import { truthOf } from '../evaluate/layout.js';
import { openSlideTruth } from '../evaluate/slide-truth.js';
import type { Model } from '../model/model.js';
import type { SlideNote } from '../slide/note.js';
import { splitScene } from '../slide/scene-path.js';
import { labelMapOptions, labelReading } from './label-options.js';
import type { Terminal } from './terminal.js';

/**
 * How the truths of slides are found, when somebody asked for them: --labels names a folder of them, or one; --positive alone
 * means those beside the slides. A truth that cannot be read or does not fit costs its slide the IoU and a line, with --strict the
 * slide; the file that was named for the one slide of a run is refused with it.
 * @param only the one slide of the run: then a file given with --labels is its truth whatever its name
 * @throws FILE_NOT_FOUND, and CONFIG_INVALID once the bundle is known not to say what is positive
 */
export async function slideLabels(
  config: Config,
  terminal: Pick<Terminal, 'problem'>,
  only?: string,
): Promise<{ labelsFor?: (model: Model) => Parts['openLabels'] }> {
  const { labels, positive } = config;
  if (labels === undefined && positive === undefined) return {};
  const facts = labels === undefined ? undefined : await stat(labels).catch(() => undefined);
  if (labels !== undefined && !facts) throw new StromaflowError('FILE_NOT_FOUND', `${labels}: no such file or folder`);
  const fixed = only !== undefined && facts?.isFile() ? labels : undefined;
  return { labelsFor: model => finder(config, model, terminal, fixed, only) };
}

function finder(
  config: Config,
  model: Pick<Model, 'labels'>,
  { problem }: Pick<Terminal, 'problem'>,
  fixed: string | undefined,
  only: string | undefined,
): NonNullable<Parts['openLabels']> {
  const options = { ...labelMapOptions(config), ...(model.labels && { classes: model.labels }) };
  // Names may be all that is given, and only annotations have them: numbers are checked when a mask is met.
  parseLabelMap({ ...options, byName: true });
  const reading = labelReading(config);
  return async (slide, plan) => {
    try {
      // One truth is not that of every scene in a file.
      if (fixed !== undefined && splitScene(slide.path).scene !== splitScene(only!).scene)
        throw new StromaflowError('LABELS_INVALID', `${fixed}: is one truth for the several scenes of ${only}`, {
          fix: 'name the scene, such as slide.ome.tif#2, or give a folder with a truth for each, such as slide.ome-scene2.geojson',
        });
      const path = fixed ?? (await truthOf(slide.path, config.labels));
      if (path === undefined) return undefined;
      const location = await labelsAt(path);
      const map = parseLabelMap({ ...options, byName: isAnnotation(location) });
      const truth = await openSlideTruth(path, slide, plan, map, reading);
      return { ...truth, notes: notesOf(truth.facts) };
    } catch (error) {
      const fault = toStromaflowError(error, 'LABELS_INVALID');
      if (config.strict || fixed !== undefined) throw fault;
      problem(`${slide.id}: without IoU: ${fault.line}`);
      return undefined;
    }
  };
}

/** What somebody who reads the IoU must know of the truth; areas that were to be ignored are left out on purpose. */
function notesOf({ classes, leftOut: { ignored: _, ...leftOut }, notes }: LabelFacts): SlideNote[] {
  const without = describeLeftOut(leftOut);
  const unknown = classes.filter(({ meaning }) => meaning === 'unknown').map(({ name }) => `'${name}'`);
  const names = unknown.length > 0 ? ` (${unknown.join(', ')})` : '';
  const lines = [...(without.length > 0 ? [`${without.join(', ')}${names}`] : []), ...notes];
  return lines.map(line => ({ code: 'labels-left-out', message: `labels: ${line}` }));
}
