import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { engineFinding } from '#src/doctor/engines.js';
import { writeFinding } from '#src/doctor/finding.js';
import { inotify } from '#src/doctor/inotify.js';
import { libraries, openSlideFinding } from '#src/doctor/libraries.js';
import { emptyFolder } from '../support/paths.js';

describe('a finding on the screen', () => {
  const word = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }).map(text => text.replace(/\s/g, 'x'));
  const sentence = fc.array(word, { minLength: 1, maxLength: 30 }).map(words => words.join(' '));

  test('keeps to the width, loses no word and is indented behind its name', () => {
    fc.assert(
      fc.property(
        fc.array(sentence, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 70, max: 120 }),
        (lines, width) => {
          const written = writeFinding({ what: 'engine x', state: 'good', lines }, width);
          for (const line of written) expect(line.length).toBeLessThanOrEqual(width);
          expect(written[0]).toMatch(/^✓ engine x {13}\S/);
          for (const line of written.slice(1)) expect(line).toMatch(/^ {23}\S/);
          const words = (text: string) => text.split(' ').filter(Boolean);
          expect(written.flatMap(line => words(line.slice(23)))).toEqual(lines.flatMap(words));
        },
      ),
    );
  });
});

describe('engines', () => {
  const gpus = [
    { index: 0, name: 'NVIDIA L4', memoryTotal: 23034 * 2 ** 20, memoryFree: 22000 * 2 ** 20, driver: '550.54.15' },
    {
      index: 1,
      name: 'NVIDIA GeForce RTX 3090',
      memoryTotal: 24 * 2 ** 30,
      memoryFree: undefined,
      driver: '550.54.15',
    },
  ];
  const ran = {
    title: '',
    found: true,
    version: 'onnxruntime 1',
    loadSeconds: 1.24,
    patchSeconds: 0.0043,
    patchSide: 512,
  };

  test('an NVIDIA engine has the name and memory of the GPU of its number', () => {
    const found = engineFinding({ ...ran, name: 'cuda', device: 'cuda:1', number: 1 }, 2, { nvidia: { gpus } }, false);
    expect(found).toMatchObject({ what: 'engine cuda 1', state: 'good' });
    expect(found.lines).toEqual([
      'onnxruntime 1 on NVIDIA GeForce RTX 3090, 24.0 GiB memory, driver 550.54.15',
      'loaded and warm in 1.2 s, then 4.3 ms a patch of 512 px',
    ]);
    expect(found.facts).toMatchObject({ deviceFacts: { name: 'NVIDIA GeForce RTX 3090', memoryTotal: 24 * 2 ** 30 } });
  });

  test('a WebGPU adapter is matched by its name, and is itself where nobody knows more', () => {
    const of = (adapter: string) =>
      engineFinding({ ...ran, name: 'webgpu', device: 'webgpu', adapter }, 2, { nvidia: { gpus } }, false).lines[0];
    expect(of('nvidia-geforce-rtx-3090 (NVIDIA: 550.54.15)')).toMatch(/on NVIDIA GeForce RTX 3090, 24\.0 GiB memory/);
    expect(of('intel-iris (Mesa 24)')).toBe('onnxruntime 1 on intel-iris (Mesa 24)');
  });

  test('without nvidia-smi the device has the name the library gives it', () => {
    const found = engineFinding({ ...ran, name: 'cuda', device: 'cuda:0' }, 2, { nvidia: undefined }, false);
    expect(found.lines[0]).toBe('onnxruntime 1 on cuda:0');
  });

  test('an engine that does not run is bad only where it was asked for, and says what the driver says', () => {
    const probe = { name: 'cuda', title: '', found: false, why: 'no kernel', install: 'the driver' } as const;
    const devices = { nvidia: { gpus: [], problem: 'nvidia-smi failed: no driver' } };
    expect(engineFinding(probe, 2, devices, false)).toMatchObject({
      state: 'absent',
      lines: ['no kernel', 'nvidia-smi failed: no driver', 'to have it: the driver'],
    });
    expect(engineFinding(probe, 2, devices, true).state).toBe('bad');
  });
});

describe('inotify watches', () => {
  /** A /proc of one process with `watches` watches. */
  async function procWith(limit: string, watches: number): Promise<string> {
    const proc = await emptyFolder();
    await mkdir(join(proc, 'sys/fs/inotify'), { recursive: true });
    await writeFile(join(proc, 'sys/fs/inotify/max_user_watches'), limit);
    for (const folder of ['fd', 'fdinfo']) await mkdir(join(proc, '77', folder), { recursive: true });
    await symlink('anon_inode:inotify', join(proc, '77/fd/5'));
    await symlink('/dev/null', join(proc, '77/fd/6'));
    await writeFile(join(proc, '77/fdinfo/5'), `pos:\t0\n${'inotify wd:1 ino:2\n'.repeat(watches)}`);
    await writeFile(join(proc, '77/fdinfo/6'), 'inotify wd:1 ino:2\n');
    return proc;
  }

  test('what is left of the limit', async () => {
    expect(await inotify(await procWith('8192\n', 192))).toEqual({
      what: 'inotify watches',
      state: 'good',
      lines: ['8,000 of 8,192 free'],
      facts: { limit: 8192, used: 192 },
    });
  });

  test('too few, with the line that raises them', async () => {
    const found = await inotify(await procWith('8192\n', 8000));
    expect(found).toMatchObject({ state: 'absent', facts: { used: 8000 } });
    expect(found!.lines.join()).toContain('sysctl fs.inotify.max_user_watches=524288');
  });

  test('nothing where the system has no inotify, or says nonsense', async () => {
    expect(await inotify(await emptyFolder())).toBeUndefined();
    expect(await inotify(await procWith('many', 1))).toBeUndefined();
  });
});

test('the libraries pictures are read with, by version', async () => {
  const [sharp, openSlide] = await libraries();
  expect(sharp).toMatchObject({ what: 'sharp', state: 'good', facts: { vips: expect.stringMatching(/^\d+\.\d+/) } });
  expect(openSlide).toMatchObject({ what: 'OpenSlide', facts: { koffi: expect.stringMatching(/^\d+\.\d+/) } });
});

describe('OpenSlide', () => {
  test.each(['3.4.1', '3.4.1+dfsg', '4.0.0', '4.0', '2.9.9', '4.0.0-dev', 'unknown'])(
    '%s is old, with a warning',
    version => {
      const { state, lines, facts } = openSlideFinding({ koffi: '3.3.4', openslide: version });
      expect(state).toBe('good');
      expect(facts).toEqual({ koffi: '3.3.4', openslide: version, outdated: true });
      expect(lines.join()).toMatch(/CVE-2026-48977.*CVE-2026-54604/);
    },
  );

  test.each(['4.0.1', '4.0.1.2', '4.0.2', '4.1', '5.0.0'])('%s is not', version => {
    const { lines, facts } = openSlideFinding({ koffi: '3.3.4', openslide: version });
    expect(facts).toEqual({ koffi: '3.3.4', openslide: version });
    expect(lines).toEqual([`OpenSlide ${version}, through koffi 3.3.4, in a process of its own`]);
  });

  test('that is absent comes with what lacks', () => {
    expect(openSlideFinding({ koffi: '3.3.4' })).toMatchObject({
      state: 'absent',
      lines: [expect.stringContaining('apt-get install libopenslide0')],
      facts: { koffi: '3.3.4', openslide: null },
    });
    expect(openSlideFinding({}).lines.join()).toContain('npm i koffi');
  });
});
