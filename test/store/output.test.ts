import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeamCounter } from '#src/mask/seams.js';
import type { OverviewCanvas } from '#src/read/overview.js';
import { openSlideOutput, type SlideOutput, type SlideOutputOptions } from '#src/store/output.js';
import { mulberry } from '../mask/naive.js';
import { filesBelow, type MaskedPatch, type MaskedSlide, maskedSlide, temporaryFolder } from './slide-fixture.js';

let base: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  base = temporaryFolder();
});
afterEach(() => base.remove());

const at = (name: string): string => join(base.path, name);
const code = (value: string) => expect.objectContaining({ code: value });

const open = (slide: MaskedSlide, name: string, more: Partial<SlideOutputOptions> = {}): Promise<SlideOutput> =>
  openSlideOutput({
    folder: at(name),
    slide: slide.info,
    plan: slide.plan,
    overview: slide.canvas,
    fresh: true,
    ...more,
  });

const write = (output: SlideOutput, patches: readonly MaskedPatch[]): Promise<unknown> =>
  Promise.all(patches.map(({ ref, record, mask }) => output.patch(ref, record, mask)));

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = mulberry(seed);
  return items
    .map(item => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

/** A canvas on which only these patches were painted, as after a restart. */
function painted({ canvas, plan }: MaskedSlide, patches: readonly MaskedPatch[]): OverviewCanvas {
  const shared = new SharedArrayBuffer(canvas.shared.byteLength);
  const [from, to] = [new Uint8Array(canvas.shared), new Uint8Array(shared).fill(255)];
  for (const { ref } of patches) {
    const side = plan.core / canvas.factor;
    for (let y = ref.row * side; y < Math.min(canvas.height, (ref.row + 1) * side); y++) {
      const end = Math.min(canvas.width, (ref.col + 1) * side);
      const row = (x: number): number => (y * canvas.width + x) * 3;
      to.set(from.subarray(row(ref.col * side), row(end)), row(ref.col * side));
    }
  }
  return { ...canvas, shared };
}

async function wholeRun(slide: MaskedSlide, name: string, patches = slide.patches): Promise<Record<string, string>> {
  const output = await open(slide, name);
  await write(output, patches);
  await output.finish(slide.summary);
  return filesBelow(at(name));
}

describe('the outputs of a slide', () => {
  const slide = maskedSlide({ width: 500, height: 300, mpp: 0.5 });

  it('are the five files, complete and nothing else', async () => {
    const output = await open(slide, 'a');
    expect(output.folder).toBe(at('a'));
    await write(output, slide.patches);
    const summary = await output.finish(slide.summary);
    const files = filesBelow(at('a'));
    expect(Object.keys(files).filter(name => !name.startsWith('mask.ome.zarr'))).toEqual([
      ...['mask.geojson', 'overview.png', 'patches.jsonl', 'summary.json'],
    ]);
    expect(existsSync(at('a/.partial'))).toBe(false);
    expect(JSON.parse(readFileSync(at('a/summary.json'), 'utf8'))).toEqual(summary);
    expect(summary).toMatchObject({ ...slide.summary, outputs: { patches: { lines: slide.patches.length } } });
    const seams = new SeamCounter(slide.plan);
    for (const { ref, record, mask } of slide.patches)
      if (record.outcome === 'segmented') seams.add(ref.col, ref.row, mask?.bits);
    expect(summary.seams).toEqual(seams.counts());
    expect(summary.seams!.across.pairs).toBeGreaterThan(100);
    const areaMm2 = summary.outputs!.polygons.areaMm2;
    expect(areaMm2).toBeCloseTo(slide.summary.area.stromaMm2, 12);
    const picture = await sharp(at('a/overview.png')).metadata();
    expect(picture).toMatchObject({ format: 'png', width: summary.outputs!.overview.width });
  });

  it('are the same bytes whatever the order of patches', async () => {
    const first = await wholeRun(slide, 'a');
    const second = await wholeRun(slide, 'b', shuffled(slide.patches, 5));
    expect(second).toEqual(first);
  });

  it('are the same bytes after a stop and a resume at any point', async () => {
    const first = await wholeRun(slide, 'whole');
    for (const [i, count] of [0, 1, 7, slide.patches.length].entries()) {
      const order = shuffled(slide.patches, i);
      const [done, left] = [order.slice(0, count), order.slice(count)];
      const before = await open(slide, `cut ${i}`, { overview: painted(slide, done) });
      await write(before, done);
      await before.close();
      const after = await open(slide, `cut ${i}`, { fresh: false, overview: painted(slide, left) });
      expect(await after.resume(done.map(({ record }) => record))).toEqual([]);
      expect(after.unpainted).toEqual([]);
      await write(after, left);
      await after.finish(slide.summary);
      expect(filesBelow(at(`cut ${i}`))).toEqual(first);
    }
  });

  it('are the same bytes when patches come twice, or came differently before', async () => {
    const first = await wholeRun(slide, 'a');
    const output = await open(slide, 'b');
    const half = slide.patches.slice(0, slide.patches.length / 2);
    const wrong = half.map(({ ref, record, mask }) => ({
      ref,
      record: { ...record, outcome: 'segmented' as const, stromaPixels: 64 },
      mask: {
        side: 64,
        bits: Uint8Array.from({ length: 512 }, (_, i) => (mask?.bits[i] ?? 0) ^ (i < 8 ? 0xff : 0)),
        stromaPixels: 64,
      },
    }));
    await write(output, wrong);
    await write(output, slide.patches);
    await write(output, slide.patches);
    await output.finish(slide.summary);
    expect(filesBelow(at('b'))).toEqual(first);
  });

  it('can be followed while they grow: a line a patch, sorted and without repeats at the end', async () => {
    const output = await open(slide, 'a');
    const lines = (): Record<string, unknown>[] =>
      readFileSync(at('a/patches.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line));
    const order = shuffled(slide.patches, 1);
    await write(output, order.slice(0, 3));
    expect(lines()).toHaveLength(3);
    await write(output, order.slice(2));
    expect(lines()).toHaveLength(slide.patches.length + 1);
    await output.finish(slide.summary);
    const expected = slide.patches.map(({ ref: { slide: _, ...place }, record }) => ({ ...place, ...record }));
    expect(lines()).toEqual(expected);
    expect(Object.keys(lines()[0]!)).toEqual([
      ...['level', 'col', 'row', 'x', 'y', 'width', 'height', 'outcome', 'validPixels', 'tissuePixels', 'stromaPixels'],
    ]);
  });

  it('name the patches whose stored mask is gone or damaged, so that they are done again', async () => {
    const first = await wholeRun(slide, 'whole');
    const output = await open(slide, 'a');
    await write(output, slide.patches);
    await output.close();
    const masked = slide.patches.filter(({ mask }) => mask);
    const [gone, torn, swapped] = masked as [MaskedPatch, MaskedPatch, MaskedPatch];
    const chunk = ({ ref }: MaskedPatch): string => at(`a/mask.ome.zarr/0/${ref.row}/${ref.col}`);
    rmSync(chunk(gone));
    writeFileSync(chunk(torn), readFileSync(chunk(torn)).subarray(0, 20));
    writeFileSync(chunk(swapped), readFileSync(chunk(masked[3]!)));
    const again = await open(slide, 'a', { fresh: false });
    const lost = await again.resume(slide.patches.map(({ record }) => record));
    expect(lost).toEqual([gone.record, torn.record, swapped.record]);
    await write(again, [gone, torn, swapped]);
    await again.finish(slide.summary);
    expect(filesBelow(at('a'))).toEqual(first);
  });

  it('drop a mask whose patch comes to nothing the second time', async () => {
    const output = await open(slide, 'a');
    await write(output, slide.patches);
    await output.close();
    const [victim, ...rest] = slide.patches.filter(({ mask }) => mask);
    const again = await open(slide, 'a', { fresh: false });
    await again.resume(rest.map(({ record }) => record));
    await again.patch(victim!.ref, { ...victim!.record, outcome: 'failed', stromaPixels: 0, code: 'TILE_CORRUPT' });
    const { outputs } = await again.finish({ ...slide.summary, state: 'incomplete' });
    const kept = rest.reduce((sum, { record }) => sum + record.stromaPixels, 0);
    expect(outputs!.polygons.areaMm2).toBeCloseTo((kept * 0.25) / 1e6, 12);
    expect(existsSync(at(`a/mask.ome.zarr/0/${victim!.ref.row}/${victim!.ref.col}`))).toBe(false);
  });

  it('say which patches to read again for the picture alone, when theirs was not kept', async () => {
    const first = await wholeRun(slide, 'a');
    const again = await open(slide, 'a', { fresh: false });
    const [before, after] = [slide.patches.slice(0, 5), slide.patches.slice(5)];
    await write(again, after);
    await again.close();
    const third = await open(slide, 'a', { fresh: false });
    expect(await third.resume(slide.patches.map(({ record }) => record))).toEqual([]);
    expect(third.unpainted).toEqual(before.map(({ record }) => record));
    await third.finish(slide.summary);
    expect(filesBelow(at('a'))).toEqual(first);
  });

  it('can be finished incomplete, and taken up again', async () => {
    const first = await wholeRun(slide, 'whole');
    const [done, left] = [slide.patches.slice(0, 9), slide.patches.slice(9)];
    const output = await open(slide, 'a', { overview: painted(slide, done) });
    await write(output, done);
    const summary = await output.finish({ ...slide.summary, state: 'incomplete' });
    expect(summary.outputs!.patches.lines).toBe(9);
    const again = await open(slide, 'a', { fresh: false, overview: painted(slide, left) });
    await again.resume(done.map(({ record }) => record));
    await write(again, left);
    await again.finish(slide.summary);
    expect(filesBelow(at('a'))).toEqual(first);
  });

  it('leave out small polygons and fill small holes when told to', async () => {
    const plain = await open(slide, 'a');
    await write(plain, slide.patches);
    const all = (await plain.finish(slide.summary)).outputs!.polygons;
    const picky = await open(slide, 'b', { minArea: 20, minHole: 5 });
    await write(picky, slide.patches);
    const some = (await picky.finish(slide.summary)).outputs!.polygons;
    expect(some).toMatchObject({ minArea: 20, minHole: 5 });
    expect(some.polygons).toBeLessThan(all.polygons);
    expect(some.holes).toBeLessThan(all.holes);
    expect(some.polygons).toBeGreaterThan(0);
    expect(all).toMatchObject({ dropped: 0, droppedMm2: 0, filled: 0, filledMm2: 0 });
    expect(some.dropped).toBe(all.polygons - some.polygons);
    expect(some.areaMm2).toBeCloseTo(all.areaMm2 - some.droppedMm2 + some.filledMm2, 12);
    const { features } = JSON.parse(readFileSync(at('b/mask.geojson'), 'utf8'));
    for (const { properties } of features) expect(properties.measurements['Area µm^2']).toBeGreaterThanOrEqual(20);
  });

  it('start over when told to be fresh', async () => {
    const first = await wholeRun(slide, 'whole');
    mkdirSync(at('a/.partial'), { recursive: true });
    writeFileSync(at('a/.partial/overview.rgb'), 'old');
    const other = await open(maskedSlide({ width: 500, height: 300, seed: 9 }), 'a');
    await write(other, slide.patches.slice(3));
    await other.close();
    const output = await open(slide, 'a');
    expect(existsSync(at('a/patches.jsonl'))).toBe(false);
    await write(output, slide.patches);
    await output.finish(slide.summary);
    expect(filesBelow(at('a'))).toEqual(first);
  });

  it('stop with one line when the disk is full, and go on from there when it is not', async () => {
    const first = await wholeRun(slide, 'whole');
    const output = await open(slide, 'a');
    const done = slide.patches.slice(0, 4);
    await write(output, done);
    symlinkSync('/dev/full', at('a/.partial/chunk'));
    const masked = slide.patches.slice(4).find(({ mask }) => mask)!;
    const error = await output.patch(masked.ref, masked.record, masked.mask).catch(e => e);
    expect(error).toEqual(code('OUTPUT_FULL'));
    expect(error.line).not.toContain('\n');
    await output.close();
    rmSync(at('a/.partial/chunk'));
    symlinkSync('/dev/full', at('a/.partial/mask.geojson'));
    const again = await open(slide, 'a', { fresh: false });
    await again.resume(done.map(({ record }) => record));
    await write(again, slide.patches.slice(4));
    await expect(again.finish(slide.summary)).rejects.toEqual(code('OUTPUT_FULL'));
    expect(existsSync(at('a/mask.geojson'))).toBe(false);
    await again.finish(slide.summary);
    expect(filesBelow(at('a'))).toEqual(first);
  });

  it('fail with the folder named when it cannot be made', async () => {
    writeFileSync(at('file'), '');
    const error = await open(slide, 'file/below').catch(e => e);
    expect(error).toEqual(code('OUTPUT_FAILED'));
    expect(error.message).toContain(at('file'));
  });

  it('heed a signal while opening and resuming, and refuse patches once closed', async () => {
    const reason = new Error('stop');
    await expect(open(slide, 'a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const opening = open(slide, 'a', { signal: stop.signal });
    stop.abort(reason);
    await expect(opening).rejects.toBe(reason);
    const output = await open(slide, 'a');
    await output.close();
    const [patch] = slide.patches as [MaskedPatch];
    await expect(output.patch(patch.ref, patch.record, patch.mask)).rejects.toEqual(code('OUTPUT_FAILED'));
    await output.close();
  });

  it('lose nothing that was written when the process is killed', async () => {
    const first = await wholeRun(slide, 'whole');
    const script = fileURLToPath(new URL('output-child.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, at('a')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const patches = slide.patches.map(({ ref, record, mask }) => {
      return { ref, record, bits: mask && Buffer.from(mask.bits).toString('base64') };
    });
    child.stdin.end(JSON.stringify({ info: slide.info, plan: slide.plan, patches }));
    const acknowledged: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(Number(line));
      if (acknowledged.length === 12) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(acknowledged.length).toBeGreaterThanOrEqual(12);
    const output = await open(slide, 'a', { fresh: false });
    const done = [...new Set(acknowledged)].map(index => slide.patches[index]!.record);
    expect(await output.resume(done)).toEqual([]);
    await write(output, slide.patches);
    await output.finish(slide.summary);
    // The child's canvas was never painted, so its part of the overview is white.
    expect({ ...filesBelow(at('a')), 'overview.png': '' }).toEqual({ ...first, 'overview.png': '' });
  });
});
