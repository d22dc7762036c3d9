import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import { slideTasks } from '#pipelines/slide-tasks.js';
import type { Config } from '#src/config/options.js';
import { openSlide } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import type { SlideSummary } from '#src/store/summary.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { type RangeServer, startRangeServer } from '../support/range-server.js';

const SECRET = '5ecre7';
const SIGNED = `?X-Amz-Expires=60&X-Amz-Signature=${SECRET}`;

let server: RangeServer;
const opened: Parts[] = [];
beforeEach(async () => {
  server = await startRangeServer(await readFile(SLIDE));
});
afterEach(async () => {
  for (const parts of opened.splice(0)) await parts.close();
  await server.close();
});

const address = (name = 'CMU-1-Small-Region.svs'): string =>
  `${server.url.replace('//', `//ann:${SECRET}@`)}/case/${name}${SIGNED}`;

async function run(path: string, options: Partial<Config> = {}) {
  const out = options.out ?? (await emptyFolder());
  const own = await partsWith({ out, 'http-timeout': 1, ...options });
  opened.push(own);
  const { parts, events } = recording(own);
  const lines: string[] = [];
  const signal = new AbortController().signal;
  const tasks = slideTasks([path], parts, line => lines.push(line));
  const results: SlideResult[] = await lastValueFrom(segmentSlides(tasks, parts, signal).pipe(toArray()));
  opened.splice(opened.indexOf(own), 1);
  await own.close();
  return { out, results, events, lines };
}

/** Every file of a slide by its hash, but the summary. */
async function files(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    if (name === 'summary.json' || !(await stat(join(folder, name))).isFile()) continue;
    let bytes: Buffer | string = await readFile(join(folder, name));
    if (name === 'patches.jsonl') bytes = bytes.toString().trim().split('\n').sort().join('\n');
    found.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

const summaryOf = async (folder: string): Promise<SlideSummary> =>
  JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));

/** Bytes of all stored tiles of the level that is read. */
async function tileBytes(path: string, level = 0): Promise<number> {
  const { source } = await openSlide(path);
  return (source as TiffDescription).levels[level]!.byteCounts.reduce((sum, bytes) => sum + bytes, 0);
}

/** All that was written or told, as text. */
async function told(out: string, events: readonly unknown[], results: readonly SlideResult[]): Promise<string> {
  const texts: string[] = [];
  for (const name of await readdir(out, { recursive: true }))
    if ((await stat(join(out, name))).isFile()) texts.push(name, (await readFile(join(out, name))).toString('latin1'));
  return JSON.stringify([texts, events, results]);
}

describe('a slide at an address', () => {
  it('has the files of the same slide in a folder, byte for byte, with little more than its tiles fetched', async () => {
    const [local, remote] = [await run(SLIDE), await run(address(), { readers: 2 })];
    expect(remote.results).toMatchObject([{ state: 'completed', id: 'CMU-1-Small-Region' }]);
    const [here, there] = [local, remote].map(({ out }) => join(out, 'CMU-1-Small-Region'));
    const expected = await files(here!);
    expect(await files(there!)).toEqual(expected);
    expect(expected.size).toBeGreaterThan(8);
    const { source, area } = await summaryOf(there!);
    expect(area).toEqual((await summaryOf(here!)).area);
    expect(source.file).toBe('CMU-1-Small-Region.svs');
    expect(source.http).toEqual({ requests: server.asked.length, repeated: 0, bytes: server.sent });
    expect(server.sent).toBeLessThanOrEqual(1.15 * (await tileBytes(SLIDE)));
    expect(server.asked.length).toBeLessThan(60);
    for (const { headers } of server.asked) expect(headers.authorization).toMatch(/^Basic /);
  });

  it('leaves no secret in events, results, names, files and the ledger', async () => {
    const { out, events, results, lines } = await run(address());
    const text = await told(out, events, results);
    expect(text).toContain('CMU-1-Small-Region');
    expect(text + lines.join()).not.toMatch(new RegExp(`${SECRET}|X-Amz|ann:`));
  });

  it('is the same slide when it is signed anew, and is not done twice', async () => {
    const { out } = await run(address());
    const { results } = await run(`${server.url}/case/CMU-1-Small-Region.svs?X-Amz-Signature=other`, { out });
    expect(results).toMatchObject([{ state: 'done-before' }]);
  });

  it('is another slide than one of its name elsewhere', async () => {
    const { out } = await run(address());
    server.file = { bytes: server.file.bytes, etag: '"other"' };
    const { results, lines } = await run(`${server.url}/other/CMU-1-Small-Region.svs`, { out });
    expect(results).toMatchObject([
      { state: 'completed', id: expect.stringMatching(/^CMU-1-Small-Region-[0-9a-f]{8}$/) },
    ]);
    expect(lines.join()).toMatch(/goes to .*because CMU-1-Small-Region is http/);
  });

  it('ends with one line when its file is written anew meanwhile, and is done anew by the next start', async () => {
    const written = (number: number) => (number === 12 ? { status: 412 } : undefined);
    server.trouble = ({ number }) => written(number);
    const first = await run(address());
    expect(first.results).toMatchObject([{ state: 'failed', error: { code: 'SLIDE_CHANGED' } }]);
    const [{ error }] = first.results as [Extract<SlideResult, { state: 'failed' }>];
    expect(error.line).toMatch(/\/case\/CMU-1-Small-Region\.svs: was written anew while it was read/);
    expect(error.line).not.toContain(SECRET);
    const failed = first.events.filter(({ type }) => type === 'stromaflow.slide.failed.v1');
    expect(failed).toHaveLength(1);
    server.trouble = () => undefined;
    server.file = { bytes: server.file.bytes, etag: '"second"' };
    const second = await run(address(), { out: first.out });
    expect(second.results).toMatchObject([{ state: 'completed' }]);
    const { patches, timings } = await summaryOf(join(first.out, 'CMU-1-Small-Region'));
    expect(patches).toMatchObject({ expected: 30, failed: 0, missing: 0 });
    expect(timings['patchesResumed']).toBe(0);
  });

  it('goes on where it stopped when its server is well again', async () => {
    server.trouble = ({ number }) => (number > 14 ? { status: 403 } : undefined);
    const first = await run(address());
    expect(first.results).toMatchObject([{ state: 'failed', error: { code: 'SLIDE_REMOTE' } }]);
    server.trouble = () => undefined;
    const { results } = await run(address(), { out: first.out });
    expect(results).toMatchObject([{ state: 'completed' }]);
    const here = await run(SLIDE);
    const name = 'CMU-1-Small-Region';
    expect(await files(join(first.out, name))).toEqual(await files(join(here.out, name)));
  });

  it('says how often it asked again', async () => {
    server.trouble = ({ number }) => (number === 9 ? { cutAfter: 100 } : number === 10 ? { status: 503 } : undefined);
    const { out, results } = await run(address());
    expect(results).toMatchObject([{ state: 'completed' }]);
    const { source } = await summaryOf(join(out, 'CMU-1-Small-Region'));
    expect(source.http).toMatchObject({ requests: server.asked.length, repeated: 2 });
  });

  it.each<[string, Buffer, RegExp]>([
    ['text', Buffer.from('<html>please sign in</html>'), /text file.*SLIDE_UNREADABLE.*only TIFFs are read/],
    ['nothing', Buffer.alloc(0), /is empty.*/],
    ['a picture', Buffer.from('\x89PNG\r\n\x1a\n0123456789', 'latin1'), /PNG picture/],
    ['a TIFF cut short', Buffer.from('49492a00f0ff0000', 'hex'), /SLIDE_TRUNCATED/],
  ])('that holds %s is refused in one line', async (_, bytes, line) => {
    server.file = { bytes, etag: '"x"' };
    const { results } = await run(address());
    expect(results).toMatchObject([{ state: 'failed' }]);
    const [{ error }] = results as [Extract<SlideResult, { state: 'failed' }>];
    expect(error.line).toMatch(line);
    expect(error.line).not.toContain(SECRET);
  });

  it('with levels and several scenes is read as in a folder', async () => {
    const page = (side: number, description?: string): PageOptions => ({
      picture: gradient(side, side),
      tile: [64, 64],
      compression: 'deflate',
      ...(description === undefined ? {} : { description }),
    });
    const image = (ifd: number) =>
      `<Image><Pixels SizeC="3" PhysicalSizeX="0.25" PhysicalSizeY="0.25"><TiffData IFD="${ifd}"/></Pixels></Image>`;
    const pages = [page(320, `<OME>${image(0)}${image(1)}</OME>`), page(256)];
    server.file = {
      bytes: writeTiff(pages.map((one, i) => (i === 0 ? { ...one, children: [page(160)] } : one))),
      etag: '"x"',
    };
    const { results, out } = await run(address('case.ome.tif'), { 'keep-empty': true });
    expect(results.map(({ id, state }) => [id.replace(/-[0-9a-f]{8}/, ''), state]).sort()).toEqual([
      ['case_ome-scene1', 'completed'],
      ['case_ome-scene2', 'completed'],
    ]);
    const summaries = await Promise.all(results.map(({ id }) => summaryOf(join(out, id))));
    expect(summaries.map(({ source, plan }) => [source.file, source.width, plan.level]).sort()).toEqual([
      ['case.ome.tif#1', 320, 1],
      ['case.ome.tif#2', 256, 0],
    ]);
  });
});
