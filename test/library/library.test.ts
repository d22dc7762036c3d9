import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom, of } from 'rxjs';
import { expect, test } from 'vitest';
import * as pipeline from '#pipelines/index.js';
import type { Parts } from '#pipelines/parts.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const { configure, openParts, reject, segmentSlides, slideTasks } = pipeline;
const never = new AbortController().signal;

/** A code block of docs/library.md, compiled and loaded as it stands there. */
async function example(name: string): Promise<Record<string, unknown>> {
  const page = await readFile(new URL('../../docs/library.md', import.meta.url), 'utf8');
  const code = page.split(`\`\`\`ts ${name}\n`)[1]!.split('```')[0]!;
  const target = fileURLToPath(new URL('../../dist/pipelines/index.js', import.meta.url));
  const path = join(await emptyFolder(), `${name}.ts`);
  await writeFile(path, code.replaceAll("'stromaflow/pipeline'", `'${target}'`));
  return import(path);
}

test('what the library exports is known by name', () => {
  expect(Object.keys(pipeline).sort()).toMatchInlineSnapshot(`
    [
      "CreditPool",
      "ERRORS",
      "EngineGate",
      "FairQueue",
      "StromaflowError",
      "VERSION",
      "acknowledge",
      "announce",
      "batch",
      "combineObservers",
      "configure",
      "createMemoryBus",
      "credit",
      "hasTissue",
      "infer",
      "openBus",
      "openParts",
      "openSlide",
      "outcome",
      "publish",
      "read",
      "reject",
      "score",
      "segment",
      "segmentLive",
      "segmentPatches",
      "segmentSlides",
      "slideTasks",
      "store",
    ]
  `);
});

test('a configuration has the defaults, and objects to what is wrong', async () => {
  expect(await configure({ batch: 3 })).toMatchObject({ batch: 3, out: 'out', 'min-area': 25 });
  await expect(configure({ batch: 0 })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(configure({ bach: 3 } as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('slides at paths go through the graph, those that are none too', async () => {
  const parts = await openParts(await configure({ out: await emptyFolder(), engine: 'null' }));
  try {
    const states: string[] = [];
    const tasks = slideTasks([SLIDE, '/nowhere/slide.svs'], parts);
    await segmentSlides(tasks, parts, never).forEach(({ id, state }) => {
      states.push(`${id} ${state}`);
    });
    expect(states.sort()).toEqual(['CMU-1-Small-Region completed', 'slide failed']);
  } finally {
    await parts.close();
  }
});

async function segmented(change: (parts: Parts) => Parts) {
  const { parts, events } = recording(await partsWith({ out: await emptyFolder() }));
  try {
    const task = { path: SLIDE, id: 'slide', open: () => openSlide(SLIDE, { id: 'slide' }) };
    const result = await lastValueFrom(segmentSlides(of(task), change(parts), never));
    if (result.state !== 'completed') throw new Error(result.state);
    const letters = events.map(decodeEvent).flatMap(event => (event?.kind === 'dlq' ? [event.letter.error] : []));
    return { summary: result.summary, letters };
  } finally {
    await parts.close();
  }
}

test('the focus filter of the docs fails what is out of focus, with the reason, and nothing else', async () => {
  const { inFocus, sharpness } = (await example('reject-unsharp')) as {
    inFocus(parts: Parts, least: number): Parts;
    sharpness(rgb: Uint8Array, side: number): number;
  };
  const flat = new Uint8Array(16 * 16 * 3).fill(180);
  expect(sharpness(flat, 16)).toBe(0);
  const all = await segmented(parts => inFocus(parts, 0));
  const none = await segmented(parts => inFocus(parts, 1e6));
  const some = await segmented(parts => inFocus(parts, 60));
  const patches = all.summary.patches.segmented;
  expect(all.summary.patches).toMatchObject({ failed: 0 });
  expect(none.summary.patches).toMatchObject({ failed: patches, segmented: 0 });
  expect(some.summary.patches.failed).toBeGreaterThan(0);
  expect(some.summary.patches.failed).toBeLessThan(patches);
  expect(some.letters).toHaveLength(some.summary.patches.failed);
  for (const letter of some.letters)
    expect(letter).toMatchObject({ code: 'PATCH_REJECTED', message: expect.stringMatching(/^out of focus \(\d/) });
});

test('an operator that workers would go past is refused', async () => {
  const parts = await partsWith({ out: await emptyFolder() });
  const ingest = { ...parts, workers: {} as NonNullable<Parts['workers']>, afterRead: reject(() => undefined) };
  expect(() => segmentSlides(of(), ingest, never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  await parts.close();
});

test('a question that throws fails the patch it was asked about', async () => {
  let asked = 0;
  const { summary, letters } = await segmented(parts => ({
    ...parts,
    afterRead: reject(() => {
      if (asked++ === 3) throw new Error('no focus model');
      return undefined;
    }),
  }));
  expect(summary.patches.failed).toBe(1);
  expect(letters).toMatchObject([{ code: 'PATCH_REJECTED', message: expect.stringContaining('no focus model') }]);
});
