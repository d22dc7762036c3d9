import sharp from 'sharp';
import type { OverviewCanvas } from '../read/overview.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import { STROMA_RGB } from './colours.js';
import { fitText, textSvg, textWidth } from './glyphs.js';
import type { SlideSummary } from './summary.js';

export const OVERVIEW_FILE = 'overview.png';

const INK = '#1c2430';
const MUTED = '#6b7685';
const ACCENT = `rgb(${STROMA_RGB.join(',')})`;
const WARNING = '#b45309';
const TINT = 0.6;
const LINE_RGB = STROMA_RGB.map(channel => channel * 0.55);
/** By brightness: from nearly black over the stroma colour to nearly white. */
const GREENS = Array.from({ length: 256 }, (_, luma) =>
  STROMA_RGB.map(channel => (luma < 128 ? channel * (luma / 128) : channel + ((245 - channel) * (luma - 128)) / 127)),
);
/** Below this the strip's text would not fit. */
const NARROWEST = 720;

/**
 * overview.png: the slide's picture with the mask tinted and outlined, a scale bar of round length, and below it the
 * areas. `coverage`: stroma under each canvas pixel, 0 to 255. `blank`: what was not analysed, in canvas pixels. Returns the PNG
 * and its size.
 */
export async function renderOverview(
  canvas: OverviewCanvas,
  coverage: Uint8Array,
  summary: SlideSummary,
  blank: readonly PixelRectangle[],
): Promise<{ png: Uint8Array; width: number; height: number }> {
  const width = Math.max(canvas.width, NARROWEST);
  const unit = Math.max(width, canvas.height * 0.6) / 100;
  const notice = summary.notes.find(note => note.code === 'model-notice')?.message;
  const strip = Math.round(unit * (notice === undefined ? 17 : 19));
  const left = Math.floor((width - canvas.width) / 2);
  const height = canvas.height + strip;
  const frame = { left, width: canvas.width, height: canvas.height };
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    blankSvg(blank, left) +
    scaleBarSvg(frame, unit, summary.mpp * canvas.factor) +
    stripSvg(summary, width, canvas.height, unit, blank.length > 0) +
    (notice === undefined ? '' : noticeSvg(notice, width, height, unit)) +
    '</svg>';
  const picture = tint(canvas, coverage);
  const png = await sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([
      { input: picture, raw: { width: canvas.width, height: canvas.height, channels: 3 }, left, top: 0 },
      { input: Buffer.from(svg), left: 0, top: 0 },
    ])
    .png({ compressionLevel: 3 })
    .toBuffer();
  return { png, width, height };
}

/** The slide with stroma in green of the same brightness, and a dark line where coverage passes one half. */
function tint(canvas: OverviewCanvas, coverage: Uint8Array): Buffer {
  const { width, height } = canvas;
  const out = Buffer.from(new Uint8Array(canvas.shared));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (coverage[i] === 0) continue;
      const alpha = (TINT * coverage[i]!) / 255;
      const line = edge(coverage, width, height, x, y);
      // Rec. 601 luma picks the green, so that the tissue's texture stays; mixing with one green would turn pink to grey.
      const green = GREENS[Math.round(0.299 * out[i * 3]! + 0.587 * out[i * 3 + 1]! + 0.114 * out[i * 3 + 2]!)]!;
      for (let c = 0; c < 3; c++) {
        const tinted = out[i * 3 + c]! * (1 - alpha) + green[c]! * alpha;
        out[i * 3 + c] = tinted * (1 - line) + LINE_RGB[c]! * line;
      }
    }
  }
  return out;
}

/** Strength of the outline at a pixel, 0 to 1: set pixels with a clear neighbour. */
function edge(coverage: Uint8Array, width: number, height: number, x: number, y: number): number {
  const at = (px: number, py: number): number =>
    px < 0 || py < 0 || px >= width || py >= height ? 0 : coverage[py * width + px]!;
  const own = at(x, y);
  if (own < 128) return 0;
  const least = Math.min(at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1));
  return least < 128 ? Math.min(1, (own - least) / 128) : 0;
}

function blankSvg(areas: readonly PixelRectangle[], left: number): string {
  if (areas.length === 0) return '';
  const rectangles = areas.map(
    ({ x, y, width, height }) => `<rect x="${left + x}" y="${y}" width="${width}" height="${height}"/>`,
  );
  return (
    `<defs><pattern id="blank" width="12" height="12" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
    `<rect width="12" height="12" fill="#e8ebef" fill-opacity="0.85"/><rect width="4" height="12" fill="#b9c1cb"/>` +
    `</pattern></defs><g fill="url(#blank)">${rectangles.join('')}</g>`
  );
}

/** The longest of 1, 2, 5 × 10ⁿ µm within a quarter of the picture, on a pale plate so that it shows on any tissue. */
function scaleBarSvg(frame: { left: number; width: number; height: number }, unit: number, mpp: number): string {
  const limit = frame.width * 0.25 * mpp;
  const power = 10 ** Math.floor(Math.log10(limit));
  const micrometres = [5, 2, 1].map(step => step * power).find(length => length <= limit) ?? power;
  const length = micrometres / mpp;
  const text = micrometres >= 1000 ? `${micrometres / 1000} mm` : `${Number(micrometres.toPrecision(1))} µm`;
  const size = unit * 1.35;
  const pad = unit * 1.3;
  const plate = Math.max(length, textWidth(text, { size })) + 2 * pad;
  const x = frame.left + unit * 1.6;
  const high = size + pad * 2 + unit * 1.2;
  const y = frame.height - unit * 1.6 - high;
  const bar = y + high - pad;
  return (
    `<rect x="${x}" y="${y}" width="${plate}" height="${high}" rx="${unit * 0.7}" fill="#fff" fill-opacity="0.88"/>` +
    textSvg(text, x + plate / 2, y + pad + size * 0.95, { size, fill: INK, anchor: 'middle' }) +
    `<path d="M${x + (plate - length) / 2} ${bar}h${length}" stroke="${INK}" stroke-width="${unit * 0.5}"/>`
  );
}

function stripSvg(summary: SlideSummary, width: number, top: number, unit: number, hasBlank: boolean): string {
  const { area, patches, provisional } = summary;
  const pad = unit * 3;
  const column = (width - 2 * pad) / 3;
  const figures: [label: string, value: string, measure: string][] = [
    ['Tumour-associated stroma', ...areaText(area.stromaMm2)],
    ['Tissue', ...areaText(area.tissueMm2)],
    ['Stroma in tissue', (area.stromaFraction * 100).toFixed(1), '%'],
  ];
  const blocks = figures.map(([label, value, measure], i) => {
    const x = pad + i * column;
    const swatch = i === 0 ? unit * 2.1 : 0;
    const valueStyle = { size: unit * 2.9, fill: i === 0 ? ACCENT : INK, weight: 0.13 };
    return (
      (i === 0 ? swatchSvg(x, top + unit * 2.55, unit * 1.35) : '') +
      textSvg(label, x + swatch, top + unit * 3.75, { size: unit * 1.1, fill: MUTED }) +
      textSvg(value, x, top + unit * 8.6, valueStyle) +
      textSvg(measure, x + textWidth(value, valueStyle) + unit * 0.9, top + unit * 8.6, {
        size: unit * 1.7,
        fill: MUTED,
      })
    );
  });
  const done = patches.segmented + patches.empty;
  const small = { size: unit * 0.95, fill: MUTED };
  const state = provisional || done < patches.expected;
  const right = state ? `${done} of ${patches.expected} patches` : `${summary.model}`;
  const rightWidth = textWidth(right, small) + (hasBlank ? unit * 14 : 0);
  const line = top + unit * 11.4;
  const left = `${summary.slide} · ${Number(summary.mpp.toPrecision(3))} µm/px`;
  return (
    blocks.join('') +
    `<path d="M${pad} ${line}H${width - pad}" stroke="#d9dee5" stroke-width="${unit * 0.12}"/>` +
    textSvg(fitText(left, width - 2 * pad - rightWidth - unit * 2, small), pad, line + unit * 2.9, small) +
    textSvg(right, width - pad, line + unit * 2.9, { ...small, fill: state ? WARNING : MUTED, anchor: 'end' }) +
    (hasBlank ? blankLegendSvg(width - pad - rightWidth, line + unit * 2.9, unit) : '')
  );
}

/** What the model's maker wants said, below everything. */
function noticeSvg(notice: string, width: number, bottom: number, unit: number): string {
  const style = { size: unit * 0.95, fill: WARNING };
  return textSvg(fitText(notice, width - unit * 6, style), unit * 3, bottom - unit * 1.3, style);
}

const swatchSvg = (x: number, y: number, side: number): string =>
  `<rect x="${x}" y="${y}" width="${side}" height="${side}" rx="${side * 0.2}" fill="${ACCENT}" ` +
  `fill-opacity="0.45" stroke="${ACCENT}" stroke-width="${side * 0.14}"/>`;

const blankLegendSvg = (x: number, y: number, unit: number): string =>
  `<rect x="${x}" y="${y - unit}" width="${unit * 1.1}" height="${unit * 1.1}" fill="#b9c1cb"/>` +
  textSvg('not analysed', x + unit * 1.9, y, { size: unit * 0.95, fill: MUTED });

/** mm² with three significant digits; µm² below a thousandth of a mm². */
function areaText(mm2: number): [value: string, measure: string] {
  const figure = (area: number) => (area >= 100 ? area.toFixed(0) : area.toPrecision(3));
  return mm2 > 0 && mm2 < 1e-3 ? [figure(mm2 * 1e6), 'µm²'] : [figure(mm2), 'mm²'];
}
