import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageSums, namesSet, readSeen, SEEN_FILE, seenBefore } from '#src/evaluate/seen.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const sum = (text: string) => createHash('sha256').update(text).digest('hex');

async function bundle(name: string, list: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  await writeFile(join(path, SEEN_FILE), list);
  return path;
}

describe('the list of what a model saw', () => {
  it('is what sha256sum prints, comments and odd names included', async () => {
    const list = `# trained\n${sum('a')}  images/a.png\n${sum('b').toUpperCase()} *b.png\n\\${sum('c')}  odd\\nname\n\n`;
    const path = await bundle('listed', list);
    const expected = new Set(['a', 'b', 'c'].map(sum));
    expect(await readSeen(path)).toEqual(expected);
    expect(await readSeen(join(path, 'model.onnx'))).toEqual(expected);
  });

  it('is absent without a word, and a wrong line is named', async () => {
    expect(await readSeen(folder)).toBeUndefined();
    await expect(readSeen(await bundle('broken', `${sum('a')}  a\nmd5 of b\n`))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('line 2'),
      fix: expect.stringContaining('sha256sum'),
    });
  });
});

describe('whether a model saw a set', () => {
  it('is told by the bytes of the images, whatever they are called and wherever they lie', async () => {
    await Promise.all(['a', 'b', 'c'].map(name => writeFile(join(folder, `${name}.png`), name)));
    await symlink(join(folder, 'a.png'), join(folder, 'other-name.png'));
    const items = ['other-name.png', 'b.png', 'c.png', 'gone.png', '.'].map(name => ({
      imagePath: join(folder, name),
    }));
    const seen = new Set([sum('a'), sum('c')]);
    const sums = new ImageSums();
    expect(await seenBefore({ seen }, items, 'anything', sums)).toEqual({ by: 'content', images: 2, of: 5 });
    expect(await seenBefore({ seen: new Set([sum('z')]) }, items, 'anything', sums)).toBeUndefined();
    expect(await seenBefore({}, items, 'anything', sums)).toBeUndefined();
  });

  it('is told by the name of the set where its provenance has it', async () => {
    const provenance = '58 WSSS4LUAD images (lung); TIGER-wsirois';
    expect(await seenBefore({ provenance }, [], 'wsss4luad', new ImageSums())).toEqual({ by: 'name' });
    expect(namesSet(provenance, 'tiger_wsirois')).toBe(true);
    for (const name of ['luad', 'set', 'images', 'lung', 'glas', ''])
      expect(namesSet(provenance, name), name).toBe(false);
  });
});
