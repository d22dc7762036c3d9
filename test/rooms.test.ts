import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Each room may import from those before it, and from files of src/ itself. CONTRIBUTING.md says what each is for. */
const ROOMS = [
  'codec',
  'process',
  'trace',
  'slide',
  'read',
  'mask',
  'evaluate',
  'model',
  'engine',
  'fit',
  'watch',
  'event',
  'store',
  'live',
  'stage',
  'train',
  'view',
  'page',
  'tasks',
  'status',
  'simulate',
  'config',
  'doctor',
  'pipelines',
  'cli',
];
/** Every room may use them, and they use none. */
const SHARED = ['arena', 'csv', 'errors', 'random', 'run-key', 'text', 'version'].map(name => `src/${name}.ts`);
/** What a package's user imports, of any room. */
const ENTRY = ['src/index.ts', 'src/browser.ts'];

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const files = ['src', 'pipelines'].flatMap(top =>
  readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map(name => `${top}/${name}`),
);
const imports = new Map(files.map(file => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = text.matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)\.js';|\bimport\('(\.[^']+)\.js'\)/gm);
  return [...found].map(([, fixed, late]) => normalize(join(dirname(file), `${fixed ?? late}.ts`)));
}

function roomOf(file: string): string | undefined {
  if (SHARED.includes(file) || ENTRY.includes(file)) return undefined;
  const [top, room] = file.split('/');
  return top === 'pipelines' ? top : room!;
}

test('every file is in a room that is listed, and every room is there', () => {
  expect(files.length).toBeGreaterThan(300);
  expect([...new Set(files.map(roomOf).filter(room => room !== undefined))].sort()).toEqual(ROOMS.toSorted());
  for (const file of [...SHARED, ...ENTRY]) expect(files).toContain(file);
});

test('a room imports from rooms before it alone', () => {
  const wrong = [...imports].flatMap(([file, targets]) => {
    if (ENTRY.includes(file)) return [];
    const room = roomOf(file);
    const place = room === undefined ? -1 : ROOMS.indexOf(room);
    const late = targets.filter(target => {
      const other = roomOf(target);
      return ENTRY.includes(target) || (other !== undefined && ROOMS.indexOf(other) > place);
    });
    return late.map(target => `${file} → ${target}`);
  });
  expect(wrong).toEqual([]);
});

test('no file imports itself, round however many corners', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('imports are found: the graph that segments leads to its stages', () => {
  expect(imports.get('pipelines/segment.ts')).toContain('src/stage/item.ts');
  for (const targets of imports.values()) for (const target of targets) expect(files).toContain(target);
});
