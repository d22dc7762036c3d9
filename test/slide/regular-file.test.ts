import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readFileBelow, readRegularFile, statFileBelow } from '#src/slide/regular-file.js';
import { scratch } from './fixture.js';

const files = scratch();
afterAll(() => files.remove());
const folder = files.path('.');

mkdirSync(files.path('in/deep'), { recursive: true });
files.write('in/deep/a.bin', Buffer.from('12345'));
files.write('in/..name', 'x');
files.write('empty', '');
symlinkSync(files.path('in'), files.path('linked'));
symlinkSync(files.path('in/deep'), files.path('in/also'));
symlinkSync(files.path('in/deep/a.bin'), files.path('in/deep/link.bin'));
symlinkSync(files.path('nowhere'), files.path('broken'));
execFileSync('mkfifo', [files.path('pipe')]);

describe('readRegularFile', () => {
  it('reads a file of just as many bytes as may be, and none of one more', () => {
    expect(readRegularFile(files.path('in/deep/a.bin'), 5)!.bytes.toString()).toBe('12345');
    expect(readRegularFile(files.path('in/deep/a.bin'), 4)).toBeUndefined();
    expect(readRegularFile(files.path('empty'), 0)!.bytes).toHaveLength(0);
  });

  it('follows a link above the folder that it is asked to stay in', () => {
    expect(readRegularFile(files.path('linked/deep/a.bin'), 9, files.path('linked'))!.bytes.toString()).toBe('12345');
    expect(readRegularFile(files.path('linked/deep/a.bin'), 9)!.bytes.toString()).toBe('12345');
  });
});

describe('a file below a folder', () => {
  it.each(['in/deep/a.bin', 'in/..name', 'empty'])('is there: %s', name => {
    const read = readFileBelow(folder, name, 100)!;
    expect(statFileBelow(folder, name)).toMatchObject({ ino: read.stats.ino, size: read.bytes.length });
  });

  it.each([
    ['of no name', 'nothing'],
    ['in a folder of no name', 'nothing/a.bin'],
    ['below a file', 'empty/a.bin'],
    ['far below a file', 'empty/deep/a.bin'],
    ['that is a folder', 'in'],
    ['that is a pipe, without waiting for it', 'pipe'],
    ['that is a link', 'in/deep/link.bin'],
    ['that is a link to nothing', 'broken'],
    ['behind a link', 'linked/deep/a.bin'],
    ['behind a link further down', 'in/also/a.bin'],
  ])('is none %s, to be read or to be looked at', (_, name) => {
    expect(readFileBelow(folder, name, 100)).toBeUndefined();
    expect(statFileBelow(folder, name)).toBeUndefined();
  });
});
