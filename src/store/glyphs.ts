/**
 * A small stroke alphabet, drawn for this project: servers have no fonts, and an SVG <text> would come out empty there.
 * Units: capital height 10, x-height 7, y down, capitals from 0 to the baseline at 10, descenders to 13.
 */

/** [width, path data]; a glyph's strokes are drawn with round caps and joins. */
type Glyph = readonly [width: number, path: string];

const BOWL = 'C0 4.3 1.1 3 2.6 3S5.2 4.3 5.2 6.5S4.1 10 2.6 10S0 8.7 0 6.5';
const BOWL_RIGHT = 'C5.2 4.3 4.1 3 2.6 3S0 4.3 0 6.5S1.1 10 2.6 10S5.2 8.7 5.2 6.5';

const GLYPHS: Readonly<Record<string, Glyph>> = {
  '0': [6, 'M3 0C4.9 0 6 1.7 6 5S4.9 10 3 10S0 8.3 0 5S1.1 0 3 0Z'],
  '1': [3.4, 'M0.4 2L3.2 0V10'],
  '2': [5.8, 'M0.3 2.7C0.5 1.1 1.5 0 3 0C4.6 0 5.6 1.1 5.6 2.7C5.6 4.8 3.4 6.4 0.2 10H5.8'],
  '3': [
    5.8,
    'M0.5 1.8C0.9 0.7 1.8 0 2.9 0C4.4 0 5.4 1 5.4 2.4C5.4 3.8 4.4 4.7 2.9 4.7H2.3M2.9 4.7C4.6 4.7 5.8 5.7 5.8 7.3S4.6 10 2.9 10C1.5 10 0.4 9.2 0 8',
  ],
  '4': [6.4, 'M4.7 10V0L0 7.2H6.4'],
  '5': [5.8, 'M5.3 0H1L0.6 4.6C1.2 4 2 3.7 2.9 3.7C4.7 3.7 5.8 4.9 5.8 6.8S4.6 10 2.8 10C1.5 10 0.5 9.3 0 8.2'],
  '6': [
    5.9,
    'M5.2 1.4C4.7 0.5 4 0 3.1 0C1.2 0 0 1.9 0 5.4V6.7C0 8.7 1.2 10 3 10S5.9 8.7 5.9 6.8S4.8 3.8 3 3.8S0 4.9 0 6.7',
  ],
  '7': [5.6, 'M0 0H5.6L1.9 10'],
  '8': [
    5.9,
    'M3 4.7C1.5 4.7 0.5 3.8 0.5 2.4S1.5 0 3 0S5.4 1 5.4 2.4S4.4 4.7 3 4.7C1.2 4.7 0 5.8 0 7.4S1.2 10 3 10S5.9 9 5.9 7.4S4.7 4.7 3 4.7Z',
  ],
  '9': [
    5.9,
    'M0.7 8.6C1.2 9.5 1.9 10 2.8 10C4.7 10 5.9 8.1 5.9 4.6V3.3C5.9 1.3 4.7 0 2.9 0S0 1.3 0 3.2S1.1 6.2 2.9 6.2S5.9 5.1 5.9 3.3',
  ],
  A: [7, 'M0 10L3.5 0L7 10M1.2 6.7H5.8'],
  B: [6, 'M0 4.8H3.2C4.7 4.8 5.5 3.8 5.5 2.4S4.7 0 3.2 0H0V10H3.4C5 10 6 9 6 7.4S5 4.8 3.4 4.8'],
  C: [6.7, 'M6.7 2.3C6.1 0.8 5 0 3.7 0C1.5 0 0 1.8 0 5S1.5 10 3.7 10C5 10 6.1 9.2 6.7 7.7'],
  D: [6.6, 'M0 0H2.6C5.2 0 6.6 1.9 6.6 5S5.2 10 2.6 10H0Z'],
  E: [5.2, 'M5.2 0H0V10H5.2M0 4.8H4.6'],
  F: [5, 'M5 0H0V10M0 5H4.4'],
  G: [6.9, 'M6.5 2.2C5.9 0.8 5 0 3.7 0C1.5 0 0 1.8 0 5S1.5 10 3.7 10C5.6 10 6.9 8.6 6.9 6.4V5.5H4'],
  H: [6.4, 'M0 0V10M6.4 0V10M0 4.8H6.4'],
  I: [0, 'M0 0V10'],
  J: [4.2, 'M4.2 0V7C4.2 8.9 3.2 10 1.7 10C1 10 0.4 9.8 0 9.3'],
  K: [6, 'M0 0V10M5.7 0L0 6.2M2.2 4L6 10'],
  L: [4.8, 'M0 0V10H4.8'],
  M: [8, 'M0 10V0L4 6.6L8 0V10'],
  N: [6.6, 'M0 10V0L6.6 10V0'],
  O: [7.3, 'M3.65 0C5.9 0 7.3 1.8 7.3 5S5.9 10 3.65 10S0 8.2 0 5S1.4 0 3.65 0Z'],
  P: [5.9, 'M0 10V0H3.1C4.8 0 5.9 1.1 5.9 2.8S4.8 5.6 3.1 5.6H0'],
  Q: [7.3, 'M3.65 0C5.9 0 7.3 1.8 7.3 5S5.9 10 3.65 10S0 8.2 0 5S1.4 0 3.65 0ZM4.7 7.6L7.1 10.6'],
  R: [6.1, 'M0 10V0H3.1C4.8 0 5.8 1.1 5.8 2.7S4.8 5.4 3.1 5.4H0M3.1 5.4L6.1 10'],
  S: [5.9, 'M5.5 2C5 0.7 4.1 0 2.9 0C1.3 0 0.3 1 0.3 2.4C0.3 5.8 5.9 4 5.9 7.5C5.9 9 4.7 10 3 10C1.5 10 0.4 9.2 0 7.9'],
  T: [6.2, 'M0 0H6.2M3.1 0V10'],
  U: [6.4, 'M0 0V6.4C0 8.7 1.2 10 3.2 10S6.4 8.7 6.4 6.4V0'],
  V: [6.8, 'M0 0L3.4 10L6.8 0'],
  W: [9.8, 'M0 0L2.5 10L4.9 1.6L7.3 10L9.8 0'],
  X: [6.2, 'M0.1 0L6.1 10M6.1 0L0.1 10'],
  Y: [6.4, 'M0 0L3.2 5.2L6.4 0M3.2 5.2V10'],
  Z: [5.8, 'M0 0H5.8L0 10H5.8'],
  a: [
    4.8,
    'M0.5 4.6C0.9 3.6 1.6 3 2.6 3C4 3 4.8 3.9 4.8 5.3V10M4.8 6.1C4 6 3.2 6 2.6 6C1 6 0 6.7 0 8S0.9 10 2.2 10C3.7 10 4.8 9.1 4.8 7.6',
  ],
  b: [5.2, `M0 0V10M0 6.5${BOWL}`],
  c: [4.6, 'M4.6 4.6C4.2 3.6 3.5 3 2.6 3C1 3 0 4.3 0 6.5S1 10 2.6 10C3.5 10 4.2 9.4 4.6 8.4'],
  d: [5.2, `M5.2 0V10M5.2 6.5${BOWL_RIGHT}`],
  e: [5, 'M0.1 6.3H5C5 4.3 4.1 3 2.6 3S0 4.4 0 6.5S1 10 2.7 10C3.6 10 4.3 9.6 4.8 8.8'],
  f: [3.2, 'M3.3 0.1C1.8 -0.2 1.1 0.7 1.1 2.2V10M0 3.3H3.1'],
  g: [
    5.2,
    'M5.2 3V10C5.2 12 4.2 13 2.6 13C1.6 13 0.8 12.6 0.3 11.9M5.2 6.4C5.2 4.3 4.1 3 2.6 3S0 4.3 0 6.4S1.1 9.8 2.6 9.8S5.2 8.5 5.2 6.4',
  ],
  h: [5, 'M0 0V10M0 5.9C0 4.1 1 3 2.6 3S5 4 5 5.7V10'],
  i: [0, 'M0 3V10M0 0.3h0.01'],
  j: [1.4, 'M1.4 3V11C1.4 12.4 0.8 13 -0.3 13M1.4 0.3h0.01'],
  k: [4.7, 'M0 0V10M4.4 3L0 7.4M1.7 5.8L4.7 10'],
  l: [1.2, 'M0 0V8.5C0 9.5 0.4 10 1.2 10'],
  m: [8.4, 'M0 3V10M0 5.7C0 4 0.8 3 2.2 3S4.2 4 4.2 5.6V10M4.2 5.7C4.2 4 5 3 6.4 3S8.4 4 8.4 5.6V10'],
  n: [5, 'M0 3V10M0 5.9C0 4.1 1 3 2.6 3S5 4 5 5.7V10'],
  o: [5.3, 'M2.65 3C4.3 3 5.3 4.3 5.3 6.5S4.3 10 2.65 10S0 8.7 0 6.5S1 3 2.65 3Z'],
  p: [5.2, `M0 3V13M0 6.5${BOWL}`],
  q: [5.2, `M5.2 3V13M5.2 6.5${BOWL_RIGHT}`],
  r: [3.1, 'M0 3V10M0 6.2C0 4.2 1 3 2.5 3C2.8 3 3 3 3.1 3.1'],
  s: [
    4.5,
    'M4.2 4.4C3.8 3.5 3.1 3 2.2 3C1 3 0.2 3.7 0.2 4.8C0.2 7.3 4.5 5.9 4.5 8.1C4.5 9.3 3.6 10 2.3 10C1.2 10 0.4 9.4 0 8.5',
  ],
  t: [3.1, 'M1.1 0.8V8C1.1 9.5 1.8 10.1 3.1 9.8M0 3.3H3'],
  u: [5, 'M0 3V7.3C0 9 0.9 10 2.4 10S5 8.9 5 7.1M5 3V10'],
  v: [5.2, 'M0 3L2.6 10L5.2 3'],
  w: [7.8, 'M0 3L2 10L3.9 4.2L5.8 10L7.8 3'],
  x: [4.9, 'M0 3L4.9 10M4.9 3L0 10'],
  y: [5.2, 'M0 3L2.7 10M5.2 3L2.4 11C1.9 12.4 1.2 13 0.2 12.9'],
  z: [4.5, 'M0 3H4.5L0 10H4.5'],
  ' ': [1.2, ''],
  '.': [0, 'M0 9.8h0.01'],
  ',': [0.4, 'M0.4 9.7L-0.1 11.5'],
  ':': [0, 'M0 4.2h0.01M0 9.6h0.01'],
  '-': [3, 'M0 6.2H3'],
  '–': [5, 'M0 6.2H5'],
  '·': [0.6, 'M0.3 6h0.01'],
  _: [5, 'M0 11.6H5'],
  '/': [3.8, 'M0 11L3.8 -0.8'],
  '+': [5, 'M0 6.2H5M2.5 3.7V8.7'],
  '@': [
    8.6,
    'M5.9 3.4V6.4C5.9 7.6 6.4 8.2 7.1 8.2C8.1 8.2 8.6 7 8.6 5.4C8.6 2.2 6.8 0.4 4.3 0.4C1.7 0.4 0 2.4 0 5.6C0 8.8 1.8 10.8 4.5 10.8C5.5 10.8 6.4 10.5 7.1 10M5.9 5.6C5.9 4.1 5.1 3.2 4.1 3.2C3 3.2 2.4 4.2 2.4 5.6S3 8 4.1 8C5.1 8 5.9 7.1 5.9 5.6',
  ],
  '(': [1.9, 'M1.9 -0.8C0.5 1.4 0 3.5 0 5.3S0.5 9.2 1.9 11.4'],
  ')': [1.9, 'M0 -0.8C1.4 1.4 1.9 3.5 1.9 5.3S1.4 9.2 0 11.4'],
  '%': [
    8.8,
    'M2.2 0C3.5 0 4.3 0.9 4.3 2.4S3.5 4.8 2.2 4.8S0 3.9 0 2.4S0.9 0 2.2 0ZM7.2 0L1.6 10M6.6 5.2C7.9 5.2 8.8 6.1 8.8 7.6S7.9 10 6.6 10S4.5 9.1 4.5 7.6S5.3 5.2 6.6 5.2Z',
  ],
  µ: [5, 'M0 3V13M0 7.3C0 9 0.9 10 2.4 10S5 8.9 5 7.1M5 3V10'],
  '²': [2.9, 'M0.1 0.8C0.2 0 0.7 -0.5 1.5 -0.5C2.3 -0.5 2.8 0 2.8 0.8C2.8 1.8 1.7 2.6 0.1 4.4H2.9'],
  '×': [4.4, 'M0 4L4.4 8.4M4.4 4L0 8.4'],
};

const UNKNOWN: Glyph = [4.6, 'M0 1H4.6V10H0Z'];
/** Between the strokes of neighbouring glyphs, in units, before the stroke's own width. */
const GAP = 1.55;

export interface TextStyle {
  /** Capital height in pixels. */
  readonly size: number;
  readonly fill: string;
  /** Stroke width as a part of the capital height; 0.12 is regular. */
  readonly weight?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
}

const REGULAR = 0.125;

/** Width of a text in pixels. */
export function textWidth(text: string, { size, weight = REGULAR }: Pick<TextStyle, 'size' | 'weight'>): number {
  const glyphs = [...text];
  const strokes = glyphs.reduce((sum, glyph) => sum + (GLYPHS[glyph] ?? UNKNOWN)[0], 0);
  return ((strokes + Math.max(0, glyphs.length - 1) * (GAP + weight * 10)) * size) / 10 + weight * size;
}

/** SVG for a text whose baseline starts (or is centred, or ends) at (x, y). */
export function textSvg(text: string, x: number, y: number, style: TextStyle): string {
  const { size, fill, weight = REGULAR, anchor = 'start' } = style;
  const width = textWidth(text, style);
  const scale = size / 10;
  const start = x - (anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0) + (weight * size) / 2;
  let at = 0;
  let paths = '';
  for (const character of text) {
    const [advance, path] = GLYPHS[character] ?? UNKNOWN;
    if (path !== '') paths += `<path transform="translate(${round(at)} 0)" d="${path}"/>`;
    at += advance + GAP + weight * 10;
  }
  return (
    `<g transform="translate(${round(start)} ${round(y - size)}) scale(${round(scale)})" fill="none" stroke="${fill}" ` +
    `stroke-width="${round(weight * 10)}" stroke-linecap="round" stroke-linejoin="round">${paths}</g>`
  );
}

/** A text shortened to a width, the cut marked. */
export function fitText(text: string, width: number, style: Pick<TextStyle, 'size' | 'weight'>): string {
  if (textWidth(text, style) <= width) return text;
  let kept = text;
  while (kept.length > 1 && textWidth(`${kept}...`, style) > width) kept = kept.slice(0, -1);
  return `${kept}...`;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
