/**
 * A number as software wrote it for people: with a point, or with a comma where Windows speaks French or German ("0,500000").
 * NaN where it is none: nothing, thousands, a number with text around it.
 */
export function decimal(text: string | undefined): number {
  const trimmed = text?.trim() ?? '';
  return /^[+-]?\d{0,20}[.,]?\d{0,20}(?:[eE][+-]?\d{1,3})?$/.test(trimmed) && /\d/.test(trimmed)
    ? Number(trimmed.replace(',', '.'))
    : Number.NaN;
}
