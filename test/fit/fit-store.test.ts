import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FitStore } from '#src/fit/fit-store.js';
import { fittedNote, unfittedNote } from '#src/fit/notes.js';
import { emptyFolder } from '../support/paths.js';

let folder: string;
let weights: string;
let store: FitStore;
beforeEach(async () => {
  folder = await emptyFolder();
  weights = join(folder, 'weights');
  await writeFile(weights, 'weights');
  store = new FitStore(join(folder, 'norms'));
});
afterEach(() => rm(folder, { recursive: true }));

const norms = (mean: number) => [{ name: 'a', mean: Float32Array.of(mean), variance: Float32Array.of(2) }];
const FACTS = { key: 'k', fingerprint: 'f', own: 24, error: 0.05, slides: 1 };
const keep = (slide: string, mean = 1, facts = FACTS) =>
  store.keep(slide, weights, { norms: norms(mean), patches: 24 }, facts);

describe('fits that are kept', () => {
  test('are found again by the slide, by another process too', async () => {
    const { path } = await keep('a');
    expect(await new FitStore(join(folder, 'norms')).find('a')).toEqual({ path, facts: FACTS });
    expect(await store.find('b')).toBeUndefined();
  });

  test('are equal bytes when the statistics are equal, whatever they are known by', async () => {
    const [a, b] = [await keep('a'), await keep('b', 1, { ...FACTS, key: 'other', fingerprint: 'g' })];
    expect(await readFile(a.path)).toEqual(await readFile(b.path));
    const c = await keep('c', 1.5);
    expect(await readFile(c.path)).not.toEqual(await readFile(a.path));
  });

  test('that were torn are as good as none', async () => {
    const { path } = await keep('a');
    await writeFile(`${path}.json`, '{"key":"k');
    expect(await store.find('a')).toBeUndefined();
  });

  test('leave nothing half written, and say where they cannot be written', async () => {
    await keep('a');
    expect((await readdir(join(folder, 'norms', 'slides'))).sort()).toEqual(['a.safetensors', 'a.safetensors.json']);
    await expect(store.keep('a', join(folder, 'no-weights'), { norms: norms(1), patches: 24 }, FACTS)).rejects.toThrow(
      expect.objectContaining({ code: 'OUTPUT_FAILED' }),
    );
    // The facts of what is no longer beside them are gone.
    expect(await store.find('a')).toBeUndefined();
  });

  test('a scanner has one state for one way to take it, and remembers its last slides', async () => {
    const latest = Array.from({ length: 100 }, (_, i) => `slide ${i}`);
    await store.keepScanner('site--a/b', 'k', weights, { norms: norms(3), patches: 55.5, slides: 100, latest });
    const state = await store.scanner('site--a/b', 'k');
    expect(state).toMatchObject({ patches: 55.5, slides: 100, norms: norms(3) });
    expect(state!.latest).toEqual(latest.slice(-64));
    expect(await store.scanner('site--a/b', 'other')).toBeUndefined();
    expect(await store.scanner('site--other', 'k')).toBeUndefined();
  });
});

describe('what is said of a fit', () => {
  test('of a slide, of a scanner, of a scanner alone', () => {
    const fit = { own: 24, error: 0.0512, slides: 3 };
    const first = 'its first 24 patches that are tissue throughout, within 5.1 % of a standard deviation';
    expect(fittedNote(fit)).toEqual({ code: 'norms', message: `norms are fitted to this slide by ${first}` });
    expect(fittedNote(fit, 's').message).toBe(`norms are fitted to scanner s by 3 slides, this one by ${first}`);
    expect(fittedNote({ own: 0, error: null, slides: 1 }, 's').message).toMatch(/by 1 slide, this one not among them/);
  });

  test('of none', () => {
    expect(unfittedNote(1, 16, 'patch').message).toBe(
      "norms are not fitted to this slide: 1 patch is tissue throughout, 16 are the least; the model runs by each patch's own statistics",
    );
    expect(unfittedNote(9, 16, 'frozen').message).toMatch(/9 patches are .* the statistics of its bundle$/);
  });
});
