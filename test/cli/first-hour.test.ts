import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeLabelReport, type LabelReport } from '#src/evaluate/check.js';
import { runCli } from '../support/cli.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

let folder: string;
beforeAll(async () => {
  folder = await emptyFolder();
});
afterAll(() => rm(folder, { recursive: true }));

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

describe('a folder for results that nobody may write to', () => {
  // Root writes everywhere, but not into the kernel's own folders.
  const closed = process.getuid?.() === 0 ? '/sys' : undefined;
  it('is named, with what to do, and not as a ledger', async () => {
    const out = closed ?? join(folder, 'closed');
    if (closed === undefined) {
      await mkdir(out);
      await chmod(out, 0o500);
    }
    const { status, stderr } = await runCli(['segment', SLIDE, '--engine', 'null', '--out', out]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${out}: results cannot be written, `);
    expect(stderr).toMatch(/\[OUTPUT_FAILED\] give a folder with --out that this user may write to/);
    expect(stderr).not.toContain('ledger');
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
