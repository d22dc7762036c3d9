import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { fitText, textSvg, textWidth } from '#src/store/glyphs.js';

/** Ink of a text drawn alone: its box, and how many pixels are dark. */
async function ink(text: string, style: Partial<Parameters<typeof textSvg>[3]> = {}, x = 20, width = 1400) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="90">${textSvg(text, x, 60, { size: 40, fill: '#000', ...style })}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg))
    .flatten({ background: '#fff' })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  let [left, right, top, bottom, dark] = [width, -1, 90, -1, 0];
  for (let i = 0; i < data.length; i += info.channels) {
    if (data[i]! > 128) continue;
    const [px, py] = [(i / info.channels) % width, Math.floor(i / info.channels / width)];
    dark++;
    [left, right, top, bottom] = [Math.min(left, px), Math.max(right, px), Math.min(top, py), Math.max(bottom, py)];
  }
  return { left, right, top, bottom, dark };
}

const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:-–·_/+@()%µ²×'];

describe('the stroke alphabet', () => {
  it('draws every character the outputs use, each one its own', async () => {
    const unknown = await ink('\u4e2d');
    const shapes = new Set<string>();
    for (const letter of LETTERS) {
      const drawn = await ink(letter);
      expect(drawn.dark, letter).toBeGreaterThan(5);
      expect(drawn, letter).not.toEqual(unknown);
      shapes.add(textSvg(letter, 0, 0, { size: 10, fill: '#000' }));
    }
    expect(shapes.size).toBe(LETTERS.length);
    expect((await ink(' ')).dark).toBe(0);
    expect(unknown.dark).toBeGreaterThan(5);
  });

  it('draws where it says: on the baseline, as high as asked, as wide as measured', async () => {
    for (const text of ['H', 'Hamburg 0.315 mm', 'EXH', '24.0 %']) {
      const box = await ink(text);
      const width = textWidth(text, { size: 40 });
      expect(Math.abs(box.left - 20)).toBeLessThanOrEqual(2);
      expect(Math.abs(box.right + 1 - (20 + width))).toBeLessThanOrEqual(3);
    }
    const { top, bottom } = await ink('H');
    expect(Math.abs(bottom - 60)).toBeLessThanOrEqual(3);
    expect(Math.abs(bottom - top - 40)).toBeLessThanOrEqual(6);
    expect((await ink('p')).bottom).toBeGreaterThan(bottom + 8);
  });

  it('anchors at the middle and at the end', async () => {
    const width = textWidth('middle', { size: 40 });
    const middle = await ink('middle', { anchor: 'middle' }, 700);
    expect(Math.abs(middle.left - (700 - width / 2))).toBeLessThanOrEqual(2);
    const end = await ink('middle', { anchor: 'end' }, 700);
    expect(Math.abs(end.right - 700)).toBeLessThanOrEqual(3);
  });

  it('grows bolder with weight', async () => {
    expect((await ink('stroma', { weight: 0.2 })).dark).toBeGreaterThan(1.3 * (await ink('stroma')).dark);
  });

  it('shortens what does not fit, and only that', () => {
    const style = { size: 20 };
    const long = 'a-slide-name-that-somebody-made-up-on-a-long-afternoon';
    const fitted = fitText(long, 200, style);
    expect(fitted.endsWith('...')).toBe(true);
    expect(long.startsWith(fitted.slice(0, -3))).toBe(true);
    expect(textWidth(fitted, style)).toBeLessThanOrEqual(200);
    expect(textWidth(`${long.slice(0, fitted.length - 2)}...`, style)).toBeGreaterThan(200);
    expect(fitText('short', 200, style)).toBe('short');
  });
});
