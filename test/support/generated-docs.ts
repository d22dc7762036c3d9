import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/**
 * Compares the generated parts of a page of docs/ with what the code says now; `vitest -u` writes them. A part stands
 * between `<!-- generated: name -->` and `<!-- end -->`.
 */
export async function expectGenerated(page: string, parts: Readonly<Record<string, string>>): Promise<void> {
  const path = fileURLToPath(new URL(`../../docs/${page}`, import.meta.url));
  const text = readFileSync(path, 'utf8');
  const found = new Set<string>();
  const renewed = text.replace(
    /(<!-- generated: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_whole, start: string, name: string, end: string) => {
      found.add(name);
      return `${start}\n${parts[name]?.trim()}\n\n${end}`;
    },
  );
  expect(found, page).toEqual(new Set(Object.keys(parts)));
  await expect(renewed).toMatchFileSnapshot(path);
}

/** Columns are padded as the formatter does it. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) => Math.max(3, ...[header, ...rows].map(row => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
