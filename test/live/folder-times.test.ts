import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FolderTimes } from '#src/live/folder-times.js';
import { temporaryFolder } from '../support/temporary.js';

it('folders change when they come, get a file, and go; not when nothing happens', () => {
  const root = temporaryFolder('times');
  const [first, second] = [join(root, 'a'), join(root, 'b')];
  const times = new FolderTimes([first, second]);
  const asked = () => [times.haveChanged(), times.haveChanged()];
  expect(asked()).toEqual([true, false]);
  mkdirSync(second);
  utimesSync(second, 1, 1);
  expect(asked()).toEqual([true, false]);
  writeFileSync(join(second, 'tile'), '');
  expect(asked()).toEqual([true, false]);
  rmSync(root, { recursive: true });
  expect(asked()).toEqual([true, false]);
});

it('files change when they are written to, also under the time that they have', () => {
  const path = join(temporaryFolder('times'), 'part');
  const given: string[] = [];
  const times = new FolderTimes(() => given);
  const asked = () => [times.haveChanged(), times.haveChanged()];
  expect(asked()).toEqual([true, false]);
  writeFileSync(path, 'a');
  utimesSync(path, 1, 1);
  expect(asked()).toEqual([false, false]);
  given.push(path);
  expect(asked()).toEqual([true, false]);
  writeFileSync(path, 'ab');
  utimesSync(path, 1, 1);
  expect(asked()).toEqual([true, false]);
});
