import {
  drawAxes,
  type Frame,
  frameOf,
  line,
  niceAxis,
  PALETTE,
  plotOf,
  svg,
  text,
  unitAxis,
} from '../evaluate/report/svg.js';
import { bestOf, type EpochLine } from './progress.js';

const [TRAIN, VALIDATION] = [PALETTE[0], PALETTE[1]];

/** The report's, for a file of its own. */
const STYLE = `<style>text{font:11px sans-serif;fill:#444}.label{font-size:12px;fill:#222}.axis{fill:none;stroke:#444}.grid{stroke:#e8e8e8}</style>`;

/** Learning curves as an SVG file: loss on the left, IoU on the right, training and validation, the best epoch marked. */
export function learningCurves(history: readonly EpochLine[], title: string): string {
  const frame = frameOf(340, 250, { top: 34 });
  const best = bestOf({ history });
  const axis = niceAxis([0, Math.max(2, history.length)], 'epoch', value => String(value));
  const epochs = { ...axis, ticks: axis.ticks.filter(Number.isInteger) };
  const losses = history.flatMap(({ train, validation }) => [train.loss, validation.loss]);
  const lossAxis = niceAxis([0, ...losses], 'loss', value => String(value));
  const loss = curve(frame, history, epochs, lossAxis, part => part.loss, best);
  const iou = curve(frame, history, epochs, unitAxis('IoU'), part => part.iou, best);
  const key = [
    text(frame.left, 14, title, 'start', 'label'),
    `<g transform="translate(${frame.left} 26)">${sample(0, TRAIN, 'training')}${sample(90, VALIDATION, 'validation')}</g>`,
    best
      ? text(690 - frame.right, 26, `best: epoch ${best.epoch}, IoU ${best.validation.iou.toFixed(3)}`, 'end', 'label')
      : '',
  ];
  const content = `${STYLE}<rect width="690" height="250" fill="#fff"/>${key.join('')}${loss}<g transform="translate(345 0)">${iou}</g>`;
  const picture = svg({ width: 690, height: 250 }, `Learning curves of ${title}`, content);
  return `${picture.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" width="690" height="250" ')}\n`;
}

function curve(
  frame: Frame,
  history: readonly EpochLine[],
  xAxis: ReturnType<typeof niceAxis>,
  yAxis: ReturnType<typeof niceAxis>,
  of: (part: EpochLine['train']) => number,
  best: EpochLine | undefined,
): string {
  const plot = plotOf(frame, xAxis, yAxis);
  const drawn = (part: 'train' | 'validation', colour: string): string => {
    const points = history.map(entry => [entry.epoch, of(entry[part])] as const);
    const dots = points.map(
      ([x, y]) => `<circle cx="${plot.x(x).toFixed(1)}" cy="${plot.y(y).toFixed(1)}" r="2" fill="${colour}"/>`,
    );
    return line(plot, points, colour) + dots.join('');
  };
  const mark = best
    ? line(plot, [[best.epoch, yAxis.from] as const, [best.epoch, yAxis.to] as const], '#888', {
        width: 1,
        dash: '4 3',
      })
    : '';
  return drawAxes(plot, xAxis, yAxis) + mark + drawn('train', TRAIN) + drawn('validation', VALIDATION);
}

const sample = (x: number, colour: string, name: string): string =>
  `<path d="M${x} -4h18" stroke="${colour}" stroke-width="2"/>${text(x + 23, 0, name)}`;
