import type { ImageResult, ModelResult } from '../metrics.js';
import type { SplitName } from '../split.js';
import { percent } from './markup.js';
import { type Axis, dot, drawAxes, frameOf, modelColour, niceAxis, type Plot, plotOf, round, svg } from './svg.js';

/** Bland–Altman, a plot a model on common axes: difference of area of every image against its mean area. */
export function areaPlots(models: readonly ModelResult[], split: SplitName): string[] {
  const points = areaPoints(models, split, image => image.predictedArea - image.annotatedArea);
  const agreements = models.map(model => model.splits[split]?.area.absolute);
  const limits = agreements.flatMap(agreement => (agreement ? [agreement.bias, agreement.lower, agreement.upper] : []));
  const frame = frameOf(335, 250, { left: 68, right: 12 });
  const xAxis = areaAxis(points);
  const yAxis = niceAxis(
    [0, ...limits, ...points.flat().map(point => point.error)],
    'predicted − annotated, mm²',
    tidy,
  );
  const plot = plotOf(frame, xAxis, yAxis);
  return models.map((model, index) => {
    const agreement = agreements[index];
    const lines = [
      across(plot, 0, 'zero'),
      across(plot, agreement?.bias, 'bias'),
      across(plot, agreement?.lower, 'limit'),
      across(plot, agreement?.upper, 'limit'),
    ];
    const marks = points[index]!.map(({ image, mean, error }) =>
      dot(
        plot.x(mean),
        plot.y(error),
        modelColour(index),
        `${image.image}: ${tidy(Number(error.toPrecision(3)))} mm²`,
        3,
      ),
    );
    const drawn = drawAxes(plot, xAxis, yAxis) + lines.join('') + marks.join('');
    return svg(frame, `Difference of area of ${model.name} against area`, drawn);
  });
}

/** Errors beyond this share are drawn at it: an image with hardly any annotated stroma would flatten all others. */
const AREA_CLIP = 2;

/** A plot a model on common axes: relative area error of every image that has annotated stroma. */
export function relativeAreaPlots(models: readonly ModelResult[], split: SplitName): string[] {
  const clip = (value: number) => Math.max(-1, Math.min(AREA_CLIP, value)) * 100;
  const points = areaPoints(models, split, image => image.areaError);
  const frame = frameOf(335, 250, { left: 68, right: 12 });
  const xAxis = areaAxis(points);
  const yAxis = niceAxis([0, ...points.flat().map(point => clip(point.error))], 'relative error, %', tidy);
  const plot = plotOf(frame, xAxis, yAxis);
  return models.map((model, index) => {
    const median = model.splits[split]?.area.relativeQuartiles[1];
    const lines = across(plot, 0, 'zero') + across(plot, median === undefined ? undefined : clip(median), 'bias');
    const marks = points[index]!.map(({ image, mean, error }) =>
      dot(plot.x(mean), plot.y(clip(error)), modelColour(index), `${image.image}: ${percent(error, 1, true)}`, 3),
    );
    const drawn = drawAxes(plot, xAxis, yAxis) + lines + marks.join('');
    return svg(frame, `Relative area error of ${model.name} against area`, drawn);
  });
}

function areaPoints(models: readonly ModelResult[], split: SplitName, of: (image: ImageResult) => number) {
  return models.map(model =>
    model.images
      .filter(image => image.split === split && Number.isFinite(of(image)))
      .map(image => ({ image, mean: (image.predictedArea + image.annotatedArea) / 2, error: of(image) })),
  );
}

const areaAxis = (points: readonly (readonly { readonly mean: number }[])[]): Axis =>
  niceAxis([0, ...points.flat().map(point => point.mean)], 'mean of predicted and annotated, mm²', tidy);

/** A tick without rounding dirt, with a minus sign. */
const tidy = (value: number): string => String(Number(value.toPrecision(6))).replace('-', '−');

function across(plot: Plot, value: number | undefined, style: string): string {
  if (value === undefined || Number.isNaN(value)) return '';
  const { left, right, width } = plot.frame;
  const y = round(plot.y(value));
  return `<line class="${style}" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`;
}
