import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cpuName, engineFinding } from '#src/doctor/engines.js';
import { gib, writeFinding } from '#src/doctor/finding.js';
import { inotify } from '#src/doctor/inotify.js';
import type { EngineName } from '#src/engine/catalogue.js';
import { emptyFolder } from '../support/paths.js';

/** A /proc with a limit and processes of so many watches, each in two inotify instances. */
async function procWith(limit: number, processes: readonly number[]): Promise<string> {
  const proc = await emptyFolder();
  await mkdir(join(proc, 'sys/fs/inotify'), { recursive: true });
  await writeFile(join(proc, 'sys/fs/inotify/max_user_watches'), `${limit}\n`);
  for (const [i, watches] of processes.entries()) {
    for (const folder of ['fd', 'fdinfo']) await mkdir(join(proc, String(100 + i), folder), { recursive: true });
    for (const [fd, count] of [
      [3, Math.floor(watches / 2)],
      [4, Math.ceil(watches / 2)],
    ] as const) {
      await symlink('anon_inode:inotify', join(proc, `${100 + i}/fd/${fd}`));
      await writeFile(join(proc, `${100 + i}/fdinfo/${fd}`), `pos:\t0\n${'inotify wd:1 ino:2\n'.repeat(count)}`);
    }
  }
  return proc;
}

describe('inotify watches', () => {
  test.each([
    [8192, [7192], 'good'],
    [8192, [7193], 'absent'],
    [8192, [3000, 4193], 'absent'],
    [1000, [], 'good'],
    [999, [], 'absent'],
  ] as const)('%i of which %j are taken: %s', async (limit, taken, state) => {
    const used = taken.reduce((a: number, b) => a + b, 0);
    expect(await inotify(await procWith(limit, taken))).toMatchObject({ state, facts: { limit, used } });
  });

  test.each([
    [8192, 524_288],
    [131_072, 524_288],
    [200_000, 800_000],
  ])('few of %i: the line raises them to %i', async (limit, raised) => {
    const found = await inotify(await procWith(limit, [limit - 999]));
    expect(found!.lines.at(-1)).toMatch(new RegExp(`max_user_watches=${raised}$`));
  });

  test('of a process that cannot be looked at are none', async () => {
    const proc = await procWith(8192, [10]);
    await mkdir(join(proc, '999'));
    await mkdir(join(proc, '998/fd'), { recursive: true });
    await symlink('anon_inode:inotify', join(proc, '998/fd/3'));
    await mkdir(join(proc, 'self/fd'), { recursive: true });
    await symlink('anon_inode:inotify', join(proc, 'self/fd/3'));
    expect(await inotify(proc)).toMatchObject({ facts: { used: 10 } });
  });
});

describe('an engine on the processor', () => {
  const ran = { title: '', found: true, version: 'v 1', loadSeconds: 0.05, patchSide: 512 };
  const linesOf = (name: EngineName, patchSeconds = 0.02) =>
    engineFinding({ ...ran, name, patchSeconds }, 3, { nvidia: undefined }, false);

  test.each([
    ['cpu', `v 1 on ${cpuName()}, 3 threads`],
    ['tfjs-wasm', `v 1 on ${cpuName()}`],
    ['tfjs-cpu', `v 1 on ${cpuName()}`],
    ['tfjs-node', `v 1 on ${cpuName()}`],
  ] as const)('%s has its name, and threads only where it is told how many', (name, line) => {
    const found = linesOf(name);
    expect(found.lines[0]).toBe(line);
    expect(found.facts).toMatchObject({ threads: 3, deviceFacts: { memoryTotal: expect.any(Number) } });
  });

  test.each([
    [0.0004, '0.4 ms'],
    [0.00994, '9.9 ms'],
    [0.01, '10 ms'],
    [1.2344, '1,234 ms'],
  ])('%s s a patch is %s', (seconds, text) => {
    expect(linesOf('cpu', seconds).lines[1]).toContain(`then ${text} a patch of 512 px`);
  });

  test('is called as the system calls it, in one line', () => {
    expect(cpuName()).toBe(cpuName().replace(/\s+/g, ' ').trim());
    if (cpus()[0]?.model.trim()) expect(cpuName().replaceAll(' ', '')).toBe(cpus()[0]!.model.replace(/\s/g, ''));
    expect(cpuName().length).toBeGreaterThan(0);
  });
});

describe('the screen', () => {
  test.each([
    [0, '0.0 GiB'],
    [2 ** 30, '1.0 GiB'],
    [1.04 * 2 ** 30, '1.0 GiB'],
    [1.06 * 2 ** 30, '1.1 GiB'],
  ])('%i bytes are %s', (bytes, text) => expect(gib(bytes)).toBe(text));

  test.each([
    ['good', '✓'],
    ['absent', '–'],
    ['bad', '✗'],
  ] as const)('%s is marked %s', (state, mark) => {
    expect(writeFinding({ what: 'NATS', state, lines: ['a'] }, 80)).toEqual([`${mark} NATS${' '.repeat(17)}a`]);
  });

  test('narrower than 53 columns is written as if it had them, and a long word is left whole', () => {
    const command = `node ${'x'.repeat(60)} --flag`;
    for (const width of [1, 40, 53])
      expect(writeFinding({ what: 'w', state: 'bad', lines: [command] }, width).map(line => line.slice(23))).toEqual([
        'node',
        'x'.repeat(60),
        '--flag',
      ]);
    const line = 'a'.repeat(14);
    const rows = (width: number) => writeFinding({ what: 'w', state: 'bad', lines: [`${line} ${line}a`] }, width);
    expect(rows(53)).toHaveLength(1);
    expect(rows(10)).toHaveLength(1);
    const longer = writeFinding({ what: 'w', state: 'bad', lines: [`${line} ${line}ab`] }, 53);
    expect(longer).toHaveLength(2);
  });
});
