import { type Status, serverTime } from './api.js';

/** Numbers and text for people. */

const whole = new Intl.NumberFormat('en');

export const count = (value: number): string => whole.format(value);

export const span = (seconds: number): string =>
  seconds < 90
    ? `${Math.round(seconds)} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

/** A length in µm. */
export const length = (um: number): string =>
  um >= 1000 ? `${(um / 1000).toPrecision(3)} mm` : `${Number(um.toPrecision(3))} µm`;

/** The longest of 1, 2, 5 × 10^n that is not longer. */
export function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].map(step => step * power).find(step => step <= value) ?? power;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = '',
  className = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (text !== '') made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}

/** An element of index.html. */
export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id}`);
  return found as T;
}

export const TONES = { open: 'warn', completed: 'good', incomplete: 'warn', failed: 'bad' } as const;

/** Patches of which it is known what became of them. */
export const doneOf = ({ patches }: Status): number =>
  patches.segmented + patches.empty + patches.missing + patches.failed;

/** Longer than a slow machine takes for a batch. */
const SILENCE_MS = 60_000;

const silence = ({ updatedAt }: Status): number => (updatedAt === null ? 0 : serverTime() - Date.parse(updatedAt));

/** Nothing came of an open slide for so long that what was said of its pace no longer holds. */
export const isSilent = (status: Status): boolean => silence(status) > SILENCE_MS;

/** What follows the count of an open slide's patches: the time it still takes, or since when nothing came. */
export function pace(status: Status): string {
  if (isSilent(status)) return `, nothing new for ${span(silence(status) / 1000).replace(' ', '\u00a0')}`;
  return status.etaSeconds === null ? '' : `, ${span(status.etaSeconds)} to go`;
}
