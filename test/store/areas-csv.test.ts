import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AREAS_FILE, AreasCsv } from '#src/store/areas-csv.js';
import type { SlideSummary } from '#src/store/summary.js';
import { emptyFolder } from '../support/paths.js';

let folder: string;
beforeEach(async () => {
  folder = await emptyFolder();
});
afterEach(() => rm(folder, { recursive: true }));

const summary = (stromaMm2: number, more: object = {}): SlideSummary =>
  ({
    state: 'completed',
    area: { stromaMm2, tissueMm2: 2, stromaFraction: stromaMm2 / 2 },
    patches: { segmented: 3, empty: 4, failed: 0 },
    source: { file: 'a, "b".svs', mpp: 0.25, mppFrom: 'given with --mpp' },
    plan: { downsample: 2 },
    model: 'm 1.0+abc',
    notes: [],
    ...more,
  }) as unknown as SlideSummary;

const read = () => readFile(join(folder, AREAS_FILE), 'utf8');
const lines = async () => (await read()).split('\n').slice(1, -1);

describe('areas.csv', () => {
  it('names the unit of every number and what a share is a share of', async () => {
    await new AreasCsv(folder).put('a', summary(1));
    expect(await read()).toBe(
      [
        'slide,file,state,stroma_mm2,tissue_mm2,stroma_percent_of_tissue,patches_segmented,patches_empty,patches_failed,slide_um_per_px,spacing_from,mask_um_per_px,model,notes',
        'a,"a, ""b"".svs",completed,1,2,50,3,4,0,0.25,given with --mpp,0.5,m 1.0+abc,',
        '',
      ].join('\n'),
    );
  });

  it('has a row a slide, in the order they were finished, over several starts', async () => {
    const first = new AreasCsv(folder);
    await first.put('b', summary(1));
    await first.put('a', summary(0.5));
    const second = new AreasCsv(folder);
    await second.put('a', summary(0.5));
    await second.put('c', summary(0.25));
    expect((await lines()).map(line => line.split(',')[0])).toEqual(['b', 'a', 'c']);
    await second.put('a', summary(1.5));
    await second.put('-odd', summary(1));
    await new AreasCsv(folder).put('-odd', summary(1));
    expect((await lines()).map(line => line.split(',')[0])).toEqual(['b', 'a', 'c', "'-odd"]);
    expect((await lines())[1]).toMatch(/completed,1\.5,2,75,/);
    expect(await readdir(folder)).toEqual([AREAS_FILE]);
  });

  it('drops a row that a crash cut off anywhere, and makes it up', async () => {
    await new AreasCsv(folder).put('a', summary(1));
    const whole = await read();
    await new AreasCsv(folder).put('b', summary(0.5));
    const both = await read();
    for (let cut = 1; cut < both.length - whole.length; cut += 7) {
      await writeFile(join(folder, AREAS_FILE), both.slice(0, -cut));
      await new AreasCsv(folder).put('b', summary(0.5));
      expect(await read()).toBe(both);
    }
  });

  it('leaves no share where there is no tissue, and keeps notes on one line', async () => {
    const none = { area: { stromaMm2: 0, tissueMm2: 0, stromaFraction: 0 } };
    await new AreasCsv(folder).put('a', summary(0, { ...none, notes: [{ message: 'two\nlines' }, { message: 'b' }] }));
    const [row] = await lines();
    expect(row).toMatch(/,completed,0,0,,3,/);
    expect(row).toMatch(/,two lines; b$/);
  });

  it('touches no file of other columns, and says what to do', async () => {
    await writeFile(join(folder, AREAS_FILE), 'slide;stroma\na;1\n');
    await expect(new AreasCsv(folder).put('a', summary(1))).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      fix: expect.stringContaining('move it away'),
    });
    expect(await read()).toBe('slide;stroma\na;1\n');
  });

  it('says that it cannot be written, and takes the row up when it can', async () => {
    const out = join(folder, 'out');
    const areas = new AreasCsv(out);
    await writeFile(out, 'a file where the folder should be');
    await expect(areas.put('a', summary(1))).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
    await rm(out);
    await areas.put('a', summary(1));
    expect(await readFile(join(out, AREAS_FILE), 'utf8')).toMatch(/\na,.*\n$/);
  });
});
