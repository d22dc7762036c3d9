import type { SlideSummary } from '../store/summary.js';

/** Share of the mask from which a difference is worth a line. */
const NOTICEABLE = 0.01;

/** A line for people when the polygons have noticeably more or less area than the mask; undefined where they have not. */
export function sievedLine({ area, outputs }: Pick<SlideSummary, 'area' | 'outputs'>): string | undefined {
  const polygons = outputs?.polygons;
  if (polygons === undefined || area.stromaMm2 === 0) return undefined;
  const { areaMm2, dropped = 0, droppedMm2 = 0, filled = 0, filledMm2 = 0, minArea, minHole, file } = polygons;
  const change = (filledMm2 - droppedMm2) / area.stromaMm2;
  if (Math.abs(change) < NOTICEABLE) return undefined;
  const percent = `${change > 0 ? '+' : '−'}${Math.abs(change * 100).toFixed(1)} %`;
  const why = [
    filled > 0 ? `${filled} holes below ${minHole} µm² filled` : '',
    dropped > 0 ? `${dropped} specks below ${minArea} µm² left out` : '',
  ].filter(part => part !== '');
  return `${file} has ${areaMm2.toFixed(3)} mm² (${percent} of the mask): ${why.join(', ')}; --min-hole 0 --min-area 0 keeps them`;
}
