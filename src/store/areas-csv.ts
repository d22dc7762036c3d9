import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvCell } from '../csv.js';
import { StromaflowError } from '../errors.js';
import { outputError, writeFinal } from './final-file.js';
import type { SlideSummary } from './summary.js';

export const AREAS_FILE = 'areas.csv';

/** The columns: every share names what it is a share of, every length its unit. */
const COLUMNS = {
  slide: (id: string) => id,
  file: (_id: string, { source }: SlideSummary) => oneLine(source.file),
  state: (_id: string, { state }: SlideSummary) => state,
  stroma_mm2: (_id: string, { area }: SlideSummary) => rounded(area.stromaMm2),
  tissue_mm2: (_id: string, { area }: SlideSummary) => rounded(area.tissueMm2),
  stroma_percent_of_tissue: (_id: string, { area }: SlideSummary) =>
    area.tissueMm2 > 0 ? rounded(area.stromaFraction * 100) : '',
  patches_segmented: (_id: string, { patches }: SlideSummary) => patches.segmented,
  patches_empty: (_id: string, { patches }: SlideSummary) => patches.empty,
  patches_failed: (_id: string, { patches }: SlideSummary) => patches.failed,
  slide_um_per_px: (_id: string, { source }: SlideSummary) => rounded(source.mpp),
  spacing_from: (_id: string, { source }: SlideSummary) => source.mppFrom ?? '',
  mask_um_per_px: (_id: string, { source, plan }: SlideSummary) => rounded(source.mpp * plan.downsample),
  model: (_id: string, { model }: SlideSummary) => model,
  notes: (_id: string, { notes }: SlideSummary) => oneLine((notes ?? []).map(note => note.message).join('; ')),
} as const;

const HEADER = Object.keys(COLUMNS).join();

/**
 * One row a slide of everything in an output folder, for a spreadsheet. A row is appended whole and synced before it is said
 * to be there; a row that a crash cut off is dropped at the next start, and one that a crash left out is made up from
 * summary.json. A slide that is done again replaces its row.
 */
export class AreasCsv {
  readonly #folder: string;
  /** Row by slide, as it stands in the file; undefined until the file was read. */
  #rows: Map<string, string> | undefined;

  /** @param folder `--out`; one process writes to it, as the ledger in it sees to */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Puts a slide's row where it is not there or says something else. @throws OUTPUT_FULL, OUTPUT_FAILED */
  async put(id: string, summary: SlideSummary): Promise<void> {
    const path = join(this.#folder, AREAS_FILE);
    try {
      const rows = this.#rows ?? (await this.#read(path));
      this.#rows = rows;
      const row = Object.values(COLUMNS)
        .map(column => csvCell(column(id, summary)))
        .join();
      const before = rows.get(id);
      if (before === row) return;
      rows.set(id, row);
      if (before === undefined && rows.size > 1) await append(path, `${row}\n`);
      else this.#rewrite(rows);
    } catch (error) {
      // What stands in the file is not known any more.
      this.#rows = undefined;
      throw outputError(error, path);
    }
  }

  #rewrite(rows: ReadonlyMap<string, string>): void {
    writeFinal(
      this.#folder,
      AREAS_FILE,
      put => put(`${[HEADER, ...rows.values()].join('\n')}\n`),
      this.#folder,
      '.areas.csv.partial',
    );
  }

  async #read(path: string): Promise<Map<string, string>> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const rows = new Map<string, string>();
    if (text === '') return rows;
    const [header, ...lines] = text.split('\n');
    if (header !== HEADER) {
      const fix = 'move it away; it is written anew, with a row of each slide that is finished or found finished';
      throw new StromaflowError('OUTPUT_FAILED', `${path}: its columns are none of this version's`, { fix });
    }
    // What follows the last end of line was cut off.
    const torn = lines.pop() !== '';
    for (const line of lines) rows.set(idOf(line), line);
    if (torn || rows.size < lines.length) this.#rewrite(rows);
    return rows;
  }
}

async function append(path: string, text: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A slide's id has no comma; one that begins like a formula was written with an apostrophe. */
const idOf = (line: string): string => line.slice(0, line.indexOf(',')).replace(/^'/, '');

/** Nine digits: far below a pixel. */
const rounded = (value: number): number => Number(value.toPrecision(9));

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
