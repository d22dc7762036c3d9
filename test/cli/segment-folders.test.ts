import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { runCli } from '../support/cli.js';
import { acquisition, type FieldScanOptions, fieldImage, fieldsOf, mm } from '../support/field-scan.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const FIELDS: FieldScanOptions = { cols: 2, rows: 2, width: 400, height: 380, step: [320, 300], left: 700, top: 900 };

describe('stromaflow segment with folders', () => {
  it('segments a folder of tiles and every region of an acquisition; what is none fails and stops nothing', async () => {
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const { path: tiles } = await simulateScan(SLIDE, folder, { as: 'tile-folder', order: 'rows', rate: 0, drop: 2 });
    const scan = acquisition(folder, 'scan');
    mkdirSync(join(scan, '0'));
    const rows: string[] = [];
    for (const region of ['A1', 'B2'])
      for (const [fov, field] of fieldsOf(FIELDS).entries()) {
        rows.push(`${region},${mm(field.x)},${mm(field.y)},\n`);
        writeFileSync(join(scan, '0', `${region}_${fov}_0_BF.png`), await fieldImage(field, FIELDS));
      }
    writeFileSync(join(scan, 'coordinates.csv'), `region,x (mm),y (mm),z (mm)\n${rows.join('')}`);
    const notes = join(folder, 'notes');
    mkdirSync(notes);

    const args = ['segment', notes, tiles, scan, '--engine', 'null', '--out', out];
    const { status, stderr } = await runCli(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^stromaflow: .*notes: is a folder without a slide \[SLIDE_UNREADABLE\] .*coordinates\.csv/);
    const done = readdirSync(out).filter(name => !name.startsWith('.') && name !== 'areas.csv');
    expect(done.toSorted()).toEqual(['CMU-1-Small-Region', 'scan--A1', 'scan--B2']);
    const summary = async (id: string) => JSON.parse(await readFile(join(out, id, 'summary.json'), 'utf8'));
    expect(await summary('CMU-1-Small-Region')).toMatchObject({
      tiles: { expected: 130, seen: 128, missing: 2 },
      source: { file: 'CMU-1-Small-Region' },
    });
    // Which slide a row is of is told by its name, not by what all of its kind are called.
    const areas = await readFile(join(out, 'areas.csv'), 'utf8');
    expect(areas).toMatch(/^CMU-1-Small-Region,CMU-1-Small-Region,/m);
    expect(areas).toMatch(/^scan--B2,scan--B2,/m);
    expect(await summary('scan--B2')).toMatchObject({
      state: 'completed',
      tiles: { expected: 4, missing: 0 },
      source: { file: 'scan--B2', width: 640, height: 600, mpp: 0.5 },
    });
  });
});
