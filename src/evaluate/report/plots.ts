import type { LabelMeaning } from '../labels.js';
import type { ModelResult, SplitResult, StudyNumber } from '../metrics.js';
import type { SplitName } from '../split.js';
import { escapeText, fixed, percent } from './markup.js';
import { dot, drawAxes, frameOf, line, modelColour, niceAxis, plotOf, round, svg, text, unitAxis } from './svg.js';

/** Plots of the report, each from metrics.json's numbers alone. */

/** IoU of every model with its interval, the study's numbers as open diamonds. */
export function intervalPlot(models: readonly ModelResult[], split: SplitName, study: readonly StudyNumber[]): string {
  const rows = models.map((model, index) => ({ model, index, iou: model.splits[split]?.iou.micro }));
  const frame = frameOf(680, 56 + rows.length * 38, { left: 200, top: 6 });
  const xAxis = unitAxis('IoU, all pixels together (micro), with 95 % interval');
  const plot = plotOf(frame, xAxis, { from: rows.length, to: 0 });
  const marks = rows.map(({ model, index, iou }) => {
    const y = plot.y(index + 0.5);
    const colour = modelColour(index);
    const own = study.find(item => item.architecture === model.architecture && item.encoder === model.encoder);
    const diamond = own ? diamondAt(plot.x(own.iou), y + 9, `study ${own.iou}, on its own data`) : '';
    const name = text(frame.left - 10, y + 4, model.name, 'end', 'label');
    if (!iou) return name + diamond;
    const bar = Number.isNaN(iou.lower)
      ? ''
      : `<path d="M${round(plot.x(iou.lower))} ${round(y)}H${round(plot.x(iou.upper))}" stroke="${colour}" stroke-width="2.2"/>`;
    return name + bar + dot(plot.x(iou.value), y, colour, `${model.name}: ${fixed(iou.value)}`, 5) + diamond;
  });
  const axes = drawAxes(plot, xAxis, { from: 0, to: 1, label: '', ticks: [], format: String });
  return svg(frame, 'Intersection over union of each model with its interval', axes + marks.join(''));
}

function diamondAt(x: number, y: number, title: string): string {
  return `<path d="M${round(x)} ${round(y - 5)}l4 5l-4 5l-4 -5z" fill="#fff" stroke="#555" stroke-width="1.4"><title>${title}</title></path>`;
}

/** Every patient's IoU, the patients in the order of the first model's. */
export function patientPlot(models: readonly ModelResult[], split: SplitName, unit = 'patient'): string {
  const byModel = models.map(model => patientScores(model, split));
  const order = [...(byModel[0] ?? new Map<string, number>())].sort((a, b) => a[1] - b[1]).map(([patient]) => patient);
  const frame = frameOf(680, 230);
  const named = order.length <= 40;
  // Names stand at 45°, above the axis' label.
  const room = named ? Math.max(0, ...order.map(patient => shorten(patient, 12).length)) * 4 : 0;
  const height = 230 + room;
  const sized = { ...frame, height, bottom: frame.bottom + room };
  const xAxis = {
    from: 0,
    to: Math.max(1, order.length),
    label: `${order.length} ${unit}s, by IoU`,
    ticks: [],
    format: String,
  };
  const plot = plotOf(sized, xAxis, { from: 0, to: 1 });
  const axes = drawAxes(plot, xAxis, unitAxis(`IoU of the ${unit}`));
  const marks = byModel.flatMap((scores, index) =>
    order.map((patient, i) => {
      const value = scores.get(patient);
      if (value === undefined) return '';
      const shift = byModel.length > 1 ? ((index + 0.5) / byModel.length - 0.5) * 0.6 : 0;
      return dot(plot.x(i + 0.5 + shift), plot.y(value), modelColour(index), `${patient}: ${fixed(value)}`, 3);
    }),
  );
  const names = named
    ? order.map((patient, i) => {
        const at = `translate(${round(plot.x(i + 0.5) + 3)} ${height - sized.bottom + 8}) rotate(-45)`;
        return `<text class="tick small" text-anchor="end" transform="${at}">${escapeText(shorten(patient, 12))}</text>`;
      })
    : [];
  return svg(sized, `Intersection over union of each ${unit}`, axes + names.join('') + marks.join(''));
}

/** Pooled IoU of each patient, from the images' counts; without patients that have stroma neither in truth nor in mask. */
export function patientScores(model: ModelResult, split: SplitName): Map<string, number> {
  const sums = new Map<string, [number, number]>();
  for (const { patient, counts, split: name } of model.images) {
    if (name !== split) continue;
    const [tp, union] = sums.get(patient) ?? [0, 0];
    sums.set(patient, [tp + counts.tp, union + counts.tp + counts.fp + counts.fn]);
  }
  return new Map([...sums].filter(([, [, union]]) => union > 0).map(([patient, [tp, union]]) => [patient, tp / union]));
}

/** Precision against recall. */
export function precisionRecallPlot(models: readonly ModelResult[], split: SplitName): string {
  const frame = frameOf(335, 250);
  const plot = plotOf(frame, { from: 0, to: 1 }, { from: 0, to: 1 });
  const curves = models.map((model, index) => {
    const curve = model.splits[split]?.probability?.curve ?? [];
    return line(
      plot,
      curve.map(point => [point.recall, point.precision] as const),
      modelColour(index),
      { width: curveWidth(index, models.length) },
    );
  });
  return svg(
    frame,
    'Precision against recall',
    drawAxes(plot, unitAxis('recall'), unitAxis('precision')) + curves.join(''),
  );
}

/** IoU against threshold; the threshold in force as a line, the one chosen on validation dashed. */
export function thresholdPlot(models: readonly ModelResult[], split: SplitName): string {
  const frame = frameOf(335, 250);
  const plot = plotOf(frame, { from: 0, to: 1 }, { from: 0, to: 1 });
  const parts = models.map((model, index) => {
    const colour = modelColour(index);
    const curve = model.splits[split]?.probability?.curve ?? [];
    const upright = (at: number, dash: string) =>
      `<path d="M${round(plot.x(at))} ${frame.top}V${frame.height - frame.bottom}" stroke="${colour}" stroke-width="1" ${dash}/>`;
    const chosen = model.chosenThreshold;
    return (
      line(
        plot,
        curve.map(point => [point.threshold, point.iou] as const),
        colour,
        { width: curveWidth(index, models.length) },
      ) +
      (curve.length > 0 ? upright(model.threshold, 'stroke-opacity="0.6"') : '') +
      (chosen ? upright(chosen.threshold, 'stroke-dasharray="4 3"') : '')
    );
  });
  return svg(frame, 'IoU against threshold', drawAxes(plot, unitAxis('threshold'), unitAxis('IoU')) + parts.join(''));
}

/** Share of stroma against predicted probability; the diagonal is perfect calibration. */
export function reliabilityPlot(models: readonly ModelResult[], split: SplitName): string {
  const frame = frameOf(335, 250);
  const plot = plotOf(frame, { from: 0, to: 1 }, { from: 0, to: 1 });
  const diagonal = line(
    plot,
    [
      [0, 0],
      [1, 1],
    ],
    '#999',
    { dash: '4 3' },
  );
  const parts = models.map((model, index) => {
    const bins = (model.splits[split]?.probability?.reliability ?? []).filter(bin => bin.pixels > 0);
    const colour = modelColour(index);
    const dots = bins.map(bin =>
      dot(
        plot.x(bin.confidence),
        plot.y(bin.frequency),
        colour,
        `${bin.pixels} pixels at ${fixed(bin.confidence, 2)}`,
        1.5 + curveWidth(index, models.length) / 1.2,
      ),
    );
    return (
      line(
        plot,
        bins.map(bin => [bin.confidence, bin.frequency] as const),
        colour,
        { width: curveWidth(index, models.length) },
      ) + dots.join('')
    );
  });
  const axes = drawAxes(plot, unitAxis('predicted probability'), unitAxis('share that is stroma'));
  return svg(frame, 'Reliability diagram', axes + diagonal + parts.join(''));
}

/** How the probabilities are spread: share of the labelled pixels in each bin. */
export function distributionPlot(models: readonly ModelResult[], split: SplitName): string {
  const shares = models.map(model => {
    const bins = model.splits[split]?.probability?.reliability ?? [];
    const all = bins.reduce((sum, bin) => sum + bin.pixels, 0);
    return bins.map(bin => [(bin.from + bin.to) / 2, bin.pixels / all] as const);
  });
  const frame = frameOf(335, 250);
  const yAxis = niceAxis([0, ...shares.flat().map(([, share]) => share)], 'share of pixels', value =>
    String(Number(value.toPrecision(3))),
  );
  const plot = plotOf(frame, { from: 0, to: 1 }, yAxis);
  const curves = shares.map((points, index) =>
    line(plot, points, modelColour(index), { width: curveWidth(index, models.length) }),
  );
  return svg(
    frame,
    'Distribution of probabilities',
    drawAxes(plot, unitAxis('predicted probability'), yAxis) + curves.join(''),
  );
}

/** How much of each class of the truth the model called stroma: bars, the class's pixels beside them. */
export function classPlot(result: SplitResult, index: number): string {
  const rows = result.classes;
  const frame = frameOf(335, 56 + rows.length * 24, { left: 150, top: 6, right: 20 });
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const format = (value: number) => `${Math.round(value * 100)} %`;
  const xAxis = { ...unitAxis('share called stroma'), ticks, format };
  const plot = plotOf(frame, xAxis, { from: rows.length, to: 0 });
  const bars = rows.map(({ value, name, meaning, pixels, predictedPositive }, i) => {
    const share = predictedPositive / pixels;
    const [top, height] = [plot.y(i + 0.18), plot.y(i + 0.82) - plot.y(i + 0.18)];
    const fill = meaning === 'positive' ? modelColour(index) : meaning === 'ignored' ? '#ddd' : '#999';
    const bar = `<rect x="${frame.left}" y="${round(top)}" width="${round(plot.x(share) - frame.left)}" height="${round(height)}" fill="${fill}"/>`;
    const inside = share > 0.8;
    const label = text(
      plot.x(share) + (inside ? -4 : 4),
      plot.y(i + 0.5) + 3.5,
      percent(share),
      inside ? 'end' : 'start',
      inside ? 'tick light' : 'tick',
    );
    return (
      bar + label + text(frame.left - 8, plot.y(i + 0.5) + 3.5, shorten(className(name, value, meaning), 24), 'end')
    );
  });
  const axes = drawAxes(plot, xAxis, { from: 0, to: 1, label: '', ticks: [], format: String });
  return svg(frame, 'Share of each annotated class that the model called stroma', axes + bars.join(''));
}

/** Of a class without a name, what it counts as. */
function className(name: string, value: number, meaning: LabelMeaning): string {
  if (name !== `label ${value}`) return name;
  return `${value}: ${meaning === 'positive' ? 'stroma' : meaning === 'ignored' ? 'ignored' : 'not stroma'}`;
}

/** Curves drawn later are thinner, so that of two that coincide both are seen. */
const curveWidth = (index: number, of: number): number => 1.8 + 2.4 * (of - 1 - index);

const shorten = (name: string, length: number): string =>
  name.length > length ? `${name.slice(0, length - 1)}…` : name;
