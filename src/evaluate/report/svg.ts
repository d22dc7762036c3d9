import { escapeText } from './markup.js';

/** The few parts a scientific plot needs. Lengths are SVG user units; a plot is as wide as its column. */

/** Colours that people with any colour vision tell apart (Okabe and Ito 2008), darkest first. */
export const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const;
export const modelColour = (index: number): string => PALETTE[index % PALETTE.length]!;

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

export interface Plot {
  readonly frame: Frame;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

/** Margins around the plotting area. */
export function frameOf(width: number, height: number, margin: Partial<Omit<Frame, 'width' | 'height'>> = {}): Frame {
  return { width, height, left: 52, right: 14, top: 12, bottom: 40, ...margin };
}

export function plotOf(frame: Frame, x: Pick<Axis, 'from' | 'to'>, y: Pick<Axis, 'from' | 'to'>): Plot {
  const { width, height, left, right, top, bottom } = frame;
  return {
    frame,
    x: value => left + ((value - x.from) / (x.to - x.from)) * (width - left - right),
    y: value => height - bottom - ((value - y.from) / (y.to - y.from)) * (height - top - bottom),
  };
}

/** An axis from 0 to 1 in steps of 0.2. */
export const unitAxis = (label: string): Axis => ({
  from: 0,
  to: 1,
  label,
  ticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
  format: value => value.toFixed(1),
});

/** An axis around the values, with about `count` round ticks (steps of 1, 2 or 5 × 10ⁿ). */
export function niceAxis(values: readonly number[], label: string, format: (value: number) => string, count = 5): Axis {
  const finite = values.filter(Number.isFinite);
  let [low, high] = finite.length > 0 ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= Math.max(size * 1e-9, 1e-12))
    [low, high] = [low - Math.max(size, 1e-9) / 2, high + Math.max(size, 1e-9) / 2];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= raw * 0.999) ?? 10 * power;
  const from = Math.floor(low / step + 1e-9) * step;
  const steps = Math.ceil((high - from) / step - 1e-9);
  const ticks = Array.from({ length: steps + 1 }, (_, i) => Number((from + i * step).toPrecision(12)));
  return { from, to: from + steps * step, label, ticks, format };
}

export function drawAxes({ frame, x, y }: Plot, xAxis: Axis, yAxis: Axis, gridX = true): string {
  const { left, right, top, bottom, width, height } = frame;
  const base = height - bottom;
  const parts: string[] = [];
  for (const tick of xAxis.ticks) {
    const at = round(x(tick));
    if (gridX) parts.push(`<line class="grid" x1="${at}" x2="${at}" y1="${top}" y2="${base}"/>`);
    parts.push(text(at, base + 15, xAxis.format(tick), 'middle'));
  }
  for (const tick of yAxis.ticks) {
    const at = round(y(tick));
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`);
    parts.push(text(left - 6, at + 3.5, yAxis.format(tick), 'end'));
  }
  parts.push(`<path class="axis" d="M${left} ${top}V${base}H${width - right}"/>`);
  parts.push(text((left + width - right) / 2, height - 6, xAxis.label, 'middle', 'label'));
  if (yAxis.label) {
    const [cx, cy] = [12, (top + base) / 2];
    parts.push(
      `<text class="label" text-anchor="middle" transform="translate(${cx} ${cy}) rotate(-90)">${escapeText(yAxis.label)}</text>`,
    );
  }
  return parts.join('');
}

export function text(
  x: number,
  y: number,
  content: string,
  anchor: 'start' | 'middle' | 'end' = 'start',
  style = 'tick',
): string {
  return `<text class="${style}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeText(content)}</text>`;
}

/** A line through points; undefined values break it. */
export function line(
  { x, y }: Plot,
  points: readonly (readonly [number, number])[],
  colour: string,
  { width = 1.8, dash }: { readonly width?: number; readonly dash?: string } = {},
): string {
  let path = '';
  let pen = false;
  for (const [px, py] of points) {
    const shown = Number.isFinite(px) && Number.isFinite(py);
    if (shown) path += `${pen ? 'L' : 'M'}${round(x(px))} ${round(y(py))}`;
    pen = shown;
  }
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}"${dash === undefined ? '' : ` stroke-dasharray="${dash}"`} stroke-linejoin="round"/>`;
}

export function dot(cx: number, cy: number, colour: string, title: string, radius = 3.2): string {
  return `<circle cx="${round(cx)}" cy="${round(cy)}" r="${radius}" fill="${colour}" fill-opacity="0.75"><title>${escapeText(title)}</title></circle>`;
}

/** @param description what the picture shows, for people who cannot see it */
export function svg(frame: Pick<Frame, 'width' | 'height'>, description: string, content: string): string {
  const { width, height } = frame;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(description)}">${content}</svg>`;
}

export const round = (value: number): number => Math.round(value * 100) / 100;
