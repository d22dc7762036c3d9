import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FolderHints } from '#src/watch/folder-hints.js';
import { temporaryFolder } from '../support/temporary.js';

const open: FolderHints[] = [];
afterEach(() => {
  for (const hints of open.splice(0)) hints.close();
});

/** Hints by the folders' names, and a promise of the next one. */
function hintsOf() {
  const heard: string[] = [];
  const waiting: (() => void)[] = [];
  const hints = new FolderHints((folder, name) => {
    heard.push(`${basename(folder)}/${name}`);
    for (const wake of waiting.splice(0)) wake();
  });
  open.push(hints);
  /** Resolves once a hint of this name was heard. */
  const hears = async (name: string): Promise<void> => {
    while (!heard.includes(name)) await new Promise<void>(resolve => void waiting.push(resolve));
  };
  return { hints, heard, hears };
}

function folders(...names: string[]) {
  const root = temporaryFolder('hints');
  return names.map(name => {
    mkdirSync(join(root, name));
    return join(root, name);
  });
}

describe('FolderHints', () => {
  it('tells of files in the folders that are followed, and of no others', async () => {
    const [a, b] = folders('a', 'b') as [string, string];
    const { hints, heard, hears } = hintsOf();
    hints.follow([a, b]);
    writeFileSync(join(a, 'one'), '');
    writeFileSync(join(b, 'two'), '');
    await Promise.all([hears('a/one'), hears('b/two')]);
    hints.follow([b]);
    heard.length = 0;
    writeFileSync(join(a, 'three'), '');
    writeFileSync(join(b, 'four'), '');
    await hears('b/four');
    expect(heard.some(name => name.startsWith('a/'))).toBe(false);
  });

  it('goes on with the others when one is gone, and takes it up again', async () => {
    const [a, b] = folders('a', 'b') as [string, string];
    const { hints, hears } = hintsOf();
    hints.follow([a, b]);
    rmSync(a, { recursive: true });
    hints.follow([b]);
    mkdirSync(a);
    hints.follow([b, a]);
    writeFileSync(join(a, 'again'), '');
    writeFileSync(join(b, 'still'), '');
    await Promise.all([hears('a/again'), hears('b/still')]);
  });

  it('is content with a folder that cannot be watched', () => {
    const { hints } = hintsOf();
    expect(() => hints.follow(['/nowhere/at/all'])).not.toThrow();
  });

  it('is silent once closed', async () => {
    const [a, b] = folders('a', 'b') as [string, string];
    const { hints, heard } = hintsOf();
    const other = hintsOf();
    hints.follow([a]);
    other.hints.follow([a, b]);
    hints.close();
    writeFileSync(join(a, 'late'), '');
    await other.hears('a/late');
    expect(heard).toEqual([]);
  });
});
