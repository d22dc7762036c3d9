/** Text for HTML and SVG, and numbers as the report prints them. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character]!);

/** '0.624'; a dash for what is undefined. */
export const fixed = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined || Number.isNaN(value)
    ? '–'
    : value.toFixed(digits).replace(/^-(?=[0.]*$)/, '');

/** '+12.3 %' of a ratio. */
export function percent(value: number | null | undefined, digits = 1, signed = false): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const text = fixed(value * 100, digits);
  return `${signed && value > 0 ? '+' : ''}${text.replace('-', '−')} %`;
}

/** '0.624 (0.581–0.664)'; without the brackets where there is no interval. */
export function withInterval(interval: { value: number; lower: number; upper: number }, digits = 3): string {
  const { value, lower, upper } = interval;
  if (Number.isNaN(lower) || Number.isNaN(upper)) return fixed(value, digits);
  return `${fixed(value, digits)} <span class="ci">(${signedRange(lower, upper, digits)})</span>`;
}

/** '1,234,567'. */
export const grouped = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');

/** '0.58–0.66'; 'to' between signed numbers. */
function signedRange(lower: number, upper: number, digits: number): string {
  const [a, b] = [fixed(lower, digits), fixed(upper, digits)].map(text => text.replace('-', '−'));
  return lower < 0 || upper < 0 ? `${a} to ${b}` : `${a}–${b}`;
}
