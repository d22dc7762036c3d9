import { chmodSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { WholeSlide } from '#src/live/whole-slide.js';
import type { OpenedSlide } from '#src/slide/slide.js';
import { ALWAYS_THERE, type Presence } from '#src/watch/presence.js';
import { scratch } from '../slide/fixture.js';

const files = scratch();
afterAll(() => files.remove());

const SLIDE = { info: { id: 'a' } } as unknown as OpenedSlide;
const never = new AbortController().signal;
const QUICK = { pollSeconds: 0.002 };
/** Looks only when it is asked. */
const ASKED = { pollSeconds: 36_000 };

const open = (paths: readonly string[], more: object = ASKED) =>
  WholeSlide.open(paths, { ...ASKED, ...more }, () => SLIDE);
/** Writes a file of always the same size and time. */
function overwrite(path: string, text: string): void {
  writeFileSync(path, text.padEnd(300_000, text));
  utimesSync(path, 1000, 1000);
}

function put(name: string, text = 'slide'): string {
  overwrite(files.path(name), text);
  return files.path(name);
}

describe('a slide that is segmented as a whole', () => {
  it('is what was opened as long as nobody writes to it', async () => {
    const slide = await open([put('same')]);
    expect([await slide.isSame(never), slide.state, slide.opened]).toEqual([true, 'same', SLIDE]);
    slide.close();
    expect(await slide.closed).toBe(false);
  });

  it.each<[string, (path: string) => void]>([
    ['is written on', path => writeFileSync(path, 'other')],
    ['is written over, its size and time kept', path => overwrite(path, 'other')],
    [
      'gives its name to another file',
      path => {
        put('new', 'other');
        renameSync(files.path('new'), path);
      },
    ],
  ])('is replaced when it %s, and is opened again', async (_, change) => {
    const path = put('replaced');
    const [slide, asked] = [await open([path], QUICK), await open([path])];
    slide.keepLooking();
    change(path);
    await new Promise(resolve => slide.replaced.addEventListener('abort', resolve));
    expect([slide.state, await asked.isSame(never)]).toEqual(['replaced', false]);
    // What it is now is not what it was, and never will be.
    expect(await slide.isSame(never)).toBe(false);
    for (const each of [slide, asked]) {
      each.close();
      expect(await each.closed).toBe(true);
    }
  });

  it('is the same when only its rights change, or an equal file takes its name', async () => {
    const path = put('touched');
    const slide = await open([path]);
    chmodSync(path, 0o600);
    expect(await slide.isSame(never)).toBe(true);
    renameSync(put('equal'), path);
    expect([await slide.isSame(never), slide.state]).toEqual([true, 'same']);
    slide.close();
  });

  it('is gone when it was deleted, and the same when it is back', async () => {
    const path = put('moved');
    const slide = await open([path]);
    renameSync(path, files.path('elsewhere'));
    expect([await slide.isSame(never), slide.state, slide.replaced.aborted]).toEqual([true, 'gone', false]);
    renameSync(files.path('elsewhere'), path);
    expect([await slide.isSame(never), slide.state]).toEqual([true, 'same']);
    rmSync(path);
    slide.close(true);
    expect(await slide.closed).toBe(true);
  });

  it('is looked at when its folder is back, and not taken for gone before', async () => {
    const path = put('away');
    let isAway = true;
    let back: (is: boolean) => void = () => undefined;
    const presence: Presence = {
      ...ALWAYS_THERE,
      isAway: () => isAway,
      back: () =>
        new Promise(resolve => {
          back = resolve;
        }),
    };
    const slide = await open([path], { ...QUICK, presence });
    slide.keepLooking();
    renameSync(path, files.path('there'));
    const looking = slide.isSame(never);
    // Some looks of its own pass meanwhile.
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(slide.state).toBe('same');
    renameSync(files.path('there'), path);
    overwrite(path, 'other');
    isAway = false;
    back(true);
    expect(await looking).toBe(false);
    slide.close();
  });

  it('in many files is replaced when any of them is', async () => {
    const paths = Array.from({ length: 70 }, (_, part) => put(`part-${part}`));
    for (const count of [3, 70]) {
      const slide = await open(paths.slice(0, count), QUICK);
      slide.keepLooking();
      writeFileSync(paths[count - 1]!, `other ${count}`);
      await new Promise(resolve => slide.replaced.addEventListener('abort', resolve));
      slide.close();
      expect(await slide.closed, `${count}`).toBe(true);
    }
  });

  it('was changed since before it was opened', async () => {
    const path = put('early');
    const slide = await WholeSlide.open([path], ASKED, async () => {
      overwrite(path, 'other');
      return SLIDE;
    });
    expect(await slide.isSame(never)).toBe(false);
    slide.close();
    await expect(open(['/nowhere/at/all'])).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
