import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeLabelReport, type LabelReport } from '#src/evaluate/check.js';
import { writeImage, writeMask } from '../evaluate/set-builder.js';
import { runCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

let folder: string;
beforeAll(async () => {
  folder = await emptyFolder();
});
afterAll(() => rm(folder, { recursive: true }));

/** Pictures of a patient each, half of them stroma. */
async function writeSet(set: string, images: number): Promise<void> {
  for (let image = 0; image < images; image++) {
    const side = 128 + 2 * image;
    await writeImage(join(set, 'images', `p${image}.png`), side, side);
    await writeMask(join(set, 'masks', `p${image}.png`), side, side, (_x, y) => (y < 64 ? 1 : 0));
  }
}

/** What somebody types in the first hour, and what the answer has to say. */
describe('a picture given to segment', () => {
  it.each([
    ['png', Buffer.from('\x89PNG\r\n\x1a\n....................', 'latin1'), 'PNG'],
    ['jpg', Buffer.from([0xff, 0xd8, 0xff, 0xe0, ...Array(24).fill(0)]), 'JPEG'],
    ['webp', Buffer.from('RIFF....WEBPVP8 ................', 'latin1'), 'WebP'],
  ])('%s is called what it is, and where it belongs is said', async (ending, bytes, name) => {
    const path = join(folder, `picture.${ending}`);
    await writeFile(path, bytes);
    const { status, stderr } = await runCli(['segment', path, '--engine', 'null', '--out', join(folder, 'out')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`is a ${name} picture, not a slide \\[SLIDE_UNREADABLE\\] stromaflow model run`));
  });
});

describe('a folder for results into which nothing can be written', () => {
  // Root writes everywhere, but not into the kernel's own folders.
  const closed = process.getuid?.() === 0 ? '/sys/x' : undefined;
  const places: [string, () => Promise<string>][] = [
    [
      'this user may not write there (E',
      async () => {
        if (closed !== undefined) return closed;
        const out = join(folder, 'closed');
        await mkdir(out, { mode: 0o500 });
        return out;
      },
    ],
    ['no folder can be made there (ENOENT)', async () => '/proc/x/y'],
    [
      'part of its path is a file (ENOTDIR)',
      async () => {
        await writeFile(join(folder, 'file'), '');
        return join(folder, 'file', 'out');
      },
    ],
  ];
  it.each(places)('%s: is named by whoever writes results, with what to do', async (why, place) => {
    const out = await place();
    const set = join(folder, 'set');
    await writeSet(set, 1);
    const labelled = [set, '--positive', '1', '--mpp', '0.5', '--out', out];
    for (const args of [
      ['segment', SLIDE, '--engine', 'null', '--out', out],
      ['labels', 'split', ...labelled],
      ['replay', ...labelled, '--engine', 'null'],
      ['simulate-scan', SLIDE, out, '--rate', '0'],
    ]) {
      const { status, stderr } = await runCli(args);
      expect([args[0], status]).toEqual([args[0], 1]);
      expect(stderr).toContain(`stromaflow: ${out}`);
      expect(stderr).toContain(`: nothing can be written there, ${why}`);
      expect(stderr).toMatch(/\[OUTPUT_FAILED\] give a folder that this user may write to\n$/);
      expect(stderr).not.toContain('ledger');
    }
  });
});

describe('config', () => {
  it('shows numbers with their units', async () => {
    const { stdout } = await runCli(['config', '--mpp', '0.25']);
    expect(stdout).toMatch(/^mpp +0\.25 µm\/px /m);
    expect(stdout).toMatch(/^engine-timeout +600 s /m);
    expect(stdout).toMatch(/^half +false /m);
    expect(stdout).toMatch(/^engine +auto /m);
  });
});

describe('model inspect', () => {
  it('gives the cost in the unit that others give it in', async () => {
    const starter = new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url).pathname;
    expect((await runCli(['model', 'inspect', starter])).stdout).toMatch(/^cost +\d+\.\d GMAC a patch/m);
  });
});

describe('labels', () => {
  it('are split as the documentation says, into the file that training and replay read', async () => {
    const set = join(folder, 'ten');
    await writeSet(set, 10);
    const written = await readFile(new URL('../../docs/evaluation.md', import.meta.url), 'utf8');
    const command = /`stromaflow (labels split [^`]+)`/.exec(written)![1]!.split(' ');
    const out = join(folder, 'split.json');
    const args = command.map(word => ({ set, 'split.json': out })[word] ?? word);
    const { status, stdout } = await runCli(args);
    expect([status, stdout]).toEqual([0, expect.stringContaining(`split      ${out}`)]);
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ by: 'patient', seed: 1 });
    const check = await runCli(['labels', 'check', set, '--positive', '1', '--mpp', '1', '--split', out]);
    expect([check.status, check.stdout]).toEqual([0, expect.stringContaining('0 faults')]);
  });

  it('of pictures whose spacing is not known name the option that gives it', async () => {
    const set = join(folder, 'unspaced');
    await writeSet(set, 1);
    const { status, stdout } = await runCli(['labels', 'check', set, '--positive', '1']);
    expect([status, stdout]).toEqual([1, expect.stringMatching(/fault .*p0.png: its spacing is not known: .*--mpp/)]);
  });
});

describe('labels check', () => {
  it('has a dash for the share of a class where there is no pixel at all', () => {
    const item = { value: 1, name: 'stroma', meaning: 'positive', pixels: 0, images: 0 };
    const report = { folder: 'set', images: 0, patients: 0, layout: 'folder', map: [], spacings: [], classes: [item] };
    const lines = describeLabelReport({
      ...report,
      findings: [],
      annotations: { classes: [], leftOut: [] },
    } as unknown as LabelReport);
    expect(lines.join('\n')).not.toContain('NaN');
    expect(lines.find(line => line.includes('stroma'))).toMatch(/– of pixels/);
  });
});
