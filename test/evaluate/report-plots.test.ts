import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageResult, ModelResult, SplitResult } from '#src/evaluate/metrics.js';
import { areaPlots, relativeAreaPlots } from '#src/evaluate/report/area-plots.js';
import {
  classPlot,
  distributionPlot,
  intervalPlot,
  patientPlot,
  patientScores,
  reliabilityPlot,
  thresholdPlot,
} from '#src/evaluate/report/plots.js';
import { niceAxis } from '#src/evaluate/report/svg.js';

const image = (patient: string, tp: number, fp: number, fn: number, more: Partial<ImageResult> = {}): ImageResult => ({
  ...{ image: `${patient}-i`, patient, subset: '', split: 'all', patches: 1, counts: { tp, fp, fn, tn: 5 } },
  ...{ iou: tp / (tp + fp + fn), dice: 0, predictedArea: tp + fp, annotatedArea: tp + fn },
  areaError: tp + fn > 0 ? (fp - fn) / (tp + fn) : Number.NaN,
  ...more,
});
const model = (name: string, images: readonly ImageResult[], all: object = {}): ModelResult => ({
  ...{ name, version: '1', architecture: 'FPN', encoder: 'resnet34', threshold: 0.5, seconds: { metrics: 0 }, images },
  splits: { all: all as SplitResult },
});

/** Circles with their titles, as drawn. */
const circles = (svg: string) =>
  [...svg.matchAll(/<circle cx="([^"]+)" cy="([^"]+)"[^>]*><title>([^<]*)<\/title>/g)].map(([, cx, cy, title]) => ({
    cx: Number(cx),
    cy: Number(cy),
    title: title!,
  }));
const lines = (svg: string, style: string) =>
  [...svg.matchAll(new RegExp(`<line class="${style}"[^>]* y1="([\\d.]+)"`, 'g'))].map(match => Number(match[1]));
/** x and y of unit axes in a plot of 335 × 250. */
const unitX = (value: number) => 52 + value * (335 - 52 - 14);
const unitY = (value: number) => 250 - 40 - value * (250 - 12 - 40);

describe('patientScores', () => {
  it('pools the pixels of each patient; one without stroma in truth and mask has no score', () => {
    const images = fc.array(
      fc.tuple(fc.constantFrom('p', 'q', 'r'), fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom('all', 'test')),
    );
    fc.assert(
      fc.property(images, list => {
        const all = list.map(([patient, tp, fp, fn, split]) =>
          image(patient, tp, fp, fn, { split: split as ImageResult['split'] }),
        );
        const scores = patientScores(model('m', all), 'all');
        for (const patient of ['p', 'q', 'r']) {
          const own = list.filter(one => one[0] === patient && one[4] === 'all');
          const tp = own.reduce((sum, one) => sum + one[1], 0);
          const union = own.reduce((sum, one) => sum + one[1] + one[2] + one[3], 0);
          expect(scores.get(patient)).toBe(union > 0 ? tp / union : undefined);
        }
      }),
    );
  });
});

describe('patientPlot', () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => image(`patient-${i}`, n - i, i, 0));

  it('orders patients by the first model and draws the second at the same places', () => {
    const a = model('a', [image('x', 9, 1, 0), image('y', 1, 9, 0)]);
    const b = model('b', [image('x', 2, 8, 0), image('y', 8, 2, 0), image('only b', 1, 0, 0)]);
    const dots = circles(patientPlot([a, b], 'all'));
    expect(dots.map(dot => dot.title)).toEqual(['y: 0.100', 'x: 0.900', 'y: 0.800', 'x: 0.200']);
    expect(dots[2]!.cx - dots[0]!.cx).toBeCloseTo(dots[3]!.cx - dots[1]!.cx, 1);
    expect(dots[0]!.cy).toBeGreaterThan(dots[2]!.cy);
  });

  it('names up to 40 patients, long names cut, and more than that none', () => {
    expect(patientPlot([model('m', many(40))], 'all')).toContain('>patient-39<');
    expect(patientPlot([model('m', many(41))], 'all')).not.toContain('rotate(-45)');
    expect(patientPlot([model('m', [image('TCGA-A2-A0CM-long', 1, 0, 0)])], 'all')).toContain('>TCGA-A2-A0C…<');
    expect(patientPlot([model('m', [image('<script>', 1, 0, 0)])], 'all')).not.toContain('<script>');
  });

  it('is drawn for nobody, too', () => {
    expect(patientPlot([], 'all')).toContain('0 patients');
    expect(patientPlot([model('m', [])], 'test')).not.toContain('NaN');
  });
});

describe('area plots', () => {
  const area = (absolute: object, median: number) => ({ area: { absolute, relativeQuartiles: [0, median, 0] } });
  const limits = { n: 2, bias: 1, lower: -3, upper: 5, standardDeviation: 2 };

  it('have all models on one scale: equal images stand at equal places', () => {
    const small = model('a', [image('x', 3, 1, 1)], area(limits, 0));
    const large = model('b', [image('x', 3, 1, 1), image('y', 900, 400, 0)], area(limits, 0));
    for (const plots of [areaPlots([small, large], 'all'), relativeAreaPlots([small, large], 'all')]) {
      const [one, two] = plots.map(circles);
      expect([one!.length, two!.length]).toEqual([1, 2]);
      expect([two![0]!.cx, two![0]!.cy]).toEqual([one![0]!.cx, one![0]!.cy]);
    }
  });

  it('have lines at zero, mean and limits, the limits as far from the mean up as down', () => {
    const [plot] = areaPlots([model('a', [image('x', 3, 1, 1)], area(limits, 0))], 'all');
    const [zero, bias, [upper, lower]] = [
      lines(plot!, 'zero')[0]!,
      lines(plot!, 'bias')[0]!,
      lines(plot!, 'limit').sort((a, b) => a - b),
    ];
    expect(zero).toBeGreaterThan(bias);
    expect(bias - upper!).toBeCloseTo(lower! - bias, 1);
    const [empty] = areaPlots(
      [model('a', [], {})].map(one => ({ ...one, splits: {} })),
      'all',
    );
    expect([lines(empty!, 'zero').length, lines(empty!, 'bias').length, lines(empty!, 'limit').length]).toEqual([
      1, 0, 0,
    ]);
  });

  it('draw errors above 200 % at 200 %, say the true one, and leave out images without stroma', () => {
    const images = [image('much', 1, 49, 0), image('twice', 1, 2, 0), image('none', 0, 7, 0), image('missed', 0, 0, 4)];
    const [plot] = relativeAreaPlots([model('a', images, area(limits, 99))], 'all');
    const dots = circles(plot!);
    expect(dots.map(dot => dot.title)).toEqual(['much-i: +4900.0 %', 'twice-i: +200.0 %', 'missed-i: −100.0 %']);
    expect(dots[0]!.cy).toBe(dots[1]!.cy);
    expect(lines(plot!, 'bias')[0]).toBe(dots[0]!.cy);
    expect(dots[2]!.cy).toBeGreaterThan(lines(plot!, 'zero')[0]!);
  });
});

describe('intervalPlot', () => {
  const study = [{ architecture: 'FPN', encoder: 'resnet34', iou: 0.864 }] as const;
  const micro = (value: number, lower: number, upper: number) => ({ iou: { micro: { value, lower, upper } } });

  it('draws value, interval and the study’s number on one scale', () => {
    const svg = intervalPlot([model('m', [], micro(0.6, 0.5, 0.7))], 'all', study);
    const x = (value: number) => 200 + value * (680 - 200 - 14);
    expect(circles(svg)[0]).toMatchObject({ title: 'm: 0.600', cx: expect.closeTo(x(0.6), 1) });
    const [, from, to] = /d="M([\d.]+) [\d.]+H([\d.]+)" stroke="#/.exec(svg)!;
    expect([Number(from), Number(to)]).toEqual([expect.closeTo(x(0.5), 1), expect.closeTo(x(0.7), 1)]);
    expect(Number(/d="M([\d.]+) [\d.]+l4 5/.exec(svg)![1])).toBeCloseTo(x(0.864), 1);
  });

  it('has neither bar nor diamond where there is no interval and the study had no such model', () => {
    const other = { ...model('m', [], micro(0.6, Number.NaN, Number.NaN)), encoder: 'mit_b0' };
    const svg = intervalPlot([other, { ...other, splits: {} }], 'all', study);
    expect(svg).not.toMatch(/l4 5|NaN|stroke-width="2.2"/);
    expect(circles(svg)).toHaveLength(1);
  });
});

describe('plots of probabilities', () => {
  const bins = [
    { from: 0, to: 0.5, pixels: 30, confidence: 0.2, frequency: 0.1 },
    { from: 0.5, to: 1, pixels: 0, confidence: Number.NaN, frequency: Number.NaN },
  ];
  const curve = [{ level: 128, threshold: 0.5, iou: 0.4, precision: 0.5, recall: 0.6 }];
  const probable = model('m', [], { probability: { reliability: bins, curve } });

  it('leave empty bins out of the reliability diagram and show them as nothing in the distribution', () => {
    expect(circles(reliabilityPlot([probable], 'all'))).toEqual([
      { title: '30 pixels at 0.20', cx: expect.closeTo(unitX(0.2), 1), cy: expect.closeTo(unitY(0.1), 1) },
    ]);
    const path = / d="(M[^"]*)" fill="none"/.exec(distributionPlot([probable], 'all'))![1]!;
    const [[x0, y0], [x1, y1]] = path
      .split(/[ML]/)
      .slice(1)
      .map(at => at.split(' ').map(Number)) as [number[], number[]];
    expect([x0, x1]).toEqual([expect.closeTo(unitX(0.25), 1), expect.closeTo(unitX(0.75), 1)]);
    expect([y0, y1]).toEqual([expect.closeTo(unitY(1), 1), expect.closeTo(unitY(0), 1)]);
  });

  it('mark the threshold in force, and the chosen one only where one was chosen', () => {
    const plain = thresholdPlot([probable], 'all');
    expect(plain).not.toContain('stroke-dasharray');
    expect(plain).toContain(`M${unitX(0.5)} 12V210" stroke="#0072b2" stroke-width="1" stroke-opacity`);
    const chosen = { ...probable, chosenThreshold: { chosenOn: 'validation', threshold: 0.7, iou: {} } } as ModelResult;
    expect(thresholdPlot([chosen], 'all')).toContain(
      `M240.3 12V210" stroke="#0072b2" stroke-width="1" stroke-dasharray`,
    );
  });
});

describe('classPlot', () => {
  it('says what a class without a name counts as', () => {
    const meanings = ['negative', 'positive', 'ignored'];
    const classes = meanings.map((meaning, value) => ({
      value,
      name: `label ${value}`,
      meaning,
      pixels: 2,
      predictedPositive: 1,
    }));
    const svg = classPlot({ classes } as unknown as SplitResult, 0);
    for (const name of ['0: not stroma', '1: stroma', '2: ignored']) expect(svg).toContain(`>${name}<`);
  });

  it('has a bar as long as the share called stroma, whatever the pixels', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 0, max: 1, noNaN: true }), (pixels, share) => {
        const predictedPositive = Math.round(pixels * share);
        const classes = [
          { value: 1, name: 'a <very> long name of a tissue', meaning: 'ignored', pixels, predictedPositive },
        ];
        const svg = classPlot({ classes } as unknown as SplitResult, 0);
        const [, width, fill] = /<rect x="150"[^>]* width="([\d.]+)"[^>]* fill="([^"]+)"/.exec(svg)!;
        expect(Number(width)).toBeCloseTo((165 * predictedPositive) / pixels, 1);
        expect(fill).toBe('#ddd');
        expect(svg).toContain('a &lt;very&gt; long name of a…');
      }),
    );
  });
});

describe('niceAxis', () => {
  it('has about as many ticks as asked for, in steps of 1, 2 or 5, each a number that can be read', () => {
    const span = fc.tuple(
      fc.double({ min: -1e4, max: 1e4, noNaN: true }),
      fc.double({ min: 1e-3, max: 1e4, noNaN: true }),
    );
    fc.assert(
      fc.property(span, fc.integer({ min: 3, max: 10 }), ([low, size], count) => {
        const { ticks } = niceAxis([low, low + size], '', String, count);
        const step = (ticks.at(-1)! - ticks[0]!) / (ticks.length - 1);
        expect(['1', '2', '5']).toContain(step.toExponential(3).replace(/\.000e.*/, ''));
        expect(ticks.length - 1).toBeGreaterThanOrEqual(Math.floor(count / 2.5));
        expect(ticks.length - 1).toBeLessThanOrEqual(count + 1);
        for (const tick of ticks) expect(String(tick).replace(/e.*/, '').length).toBeLessThan(15);
      }),
    );
  });
});
