import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as zarr from 'zarrita';
import { configure } from '#pipelines/configure.js';
import { openParts } from '#pipelines/parts.js';
import { means } from '#src/mask/means.js';
import { planPatches } from '#src/read/plan.js';
import { keptThreshold, PROBABILITY_STORE, ProbabilityStore } from '#src/store/probability-store.js';
import { emptyFolder } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';
import { ID, startLooking, startViewing, storedMask, type Viewing } from './viewing.js';

let viewing: Viewing;
let browser: Browser;
beforeAll(async () => {
  const executablePath = requireBinary('chromium', 'apt-get install chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  viewing = await startViewing({ probabilities: true });
  await viewing.segment();
});
afterAll(async () => {
  await browser.close();
  await viewing.close();
});

/** Whole, as zarrita reads it. */
async function stored(level: number): Promise<{ width: number; height: number; data: Uint8Array }> {
  const root = join(viewing.out, ID, PROBABILITY_STORE);
  const store = {
    get: async (key: string) =>
      existsSync(join(root, key)) ? new Uint8Array(await readFile(join(root, key))) : undefined,
  };
  const array = await zarr.open.v2(zarr.root(store).resolve(String(level)), { kind: 'array' });
  const { data, shape } = await zarr.get(array);
  const [height, width] = shape as [number, number];
  return { width, height, data: data as Uint8Array };
}

/** A tile as grey and alpha; sharp gives the grey three times. */
async function tile(level: number, col: number, row: number): Promise<{ side: number; data: Buffer }> {
  const answer = await viewing.get(`/api/slides/${ID}/probability/${level}/${col}/${row}`);
  expect(answer.headers.get('content-type')).toBe('image/png');
  const { data, info } = await sharp(await answer.arrayBuffer())
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(4);
  const two = Buffer.alloc(data.length / 2);
  for (let i = 0; i < two.length / 2; i++) two.set([data[i * 4]!, data[i * 4 + 3]!], i * 2);
  return { side: info.width, data: two };
}

interface Shape {
  readonly probability: { threshold: number } | null;
  readonly shape: { readonly grid: { readonly cols: number; readonly rows: number; readonly side: number } };
}

describe('kept probabilities', () => {
  it('give the mask that was published, cut at the threshold they state', async () => {
    const { probability } = await viewing.json<Shape>(`/api/slides/${ID}`);
    const bar = probability!.threshold * 255;
    const [mask, kept] = [await storedMask(viewing.out, ID, 0), await stored(0)];
    expect([kept.width, kept.height]).toEqual([mask.width, mask.height]);
    let wrong = 0;
    let set = 0;
    for (const [i, byte] of kept.data.entries()) {
      set += mask.data[i]!;
      if (mask.data[i] === 1 ? byte < Math.floor(bar) : byte > Math.ceil(bar)) wrong += 1;
    }
    expect(wrong).toBe(0);
    expect(set).toBeGreaterThan(100_000);
    expect(new Set(kept.data).size).toBeGreaterThan(20);
  });

  it('are means at coarser resolutions', async () => {
    const [fine, coarse] = [await stored(0), await stored(1)];
    const at = (x: number, y: number): number[] =>
      x < fine.width && y < fine.height ? [fine.data[y * fine.width + x]!] : [];
    let wrong = 0;
    for (let y = 0; y < coarse.height; y++)
      for (let x = 0; x < coarse.width; x++) {
        const four = [at(2 * x, 2 * y), at(2 * x + 1, 2 * y), at(2 * x, 2 * y + 1), at(2 * x + 1, 2 * y + 1)].flat();
        const mean = Math.round(four.reduce((sum, value) => sum + value, 0) / four.length);
        if (coarse.data[y * coarse.width + x] !== mean) wrong += 1;
      }
    expect(wrong).toBe(0);
  });

  it('are served where the mask is, and transparent where a patch has none', async () => {
    const { shape } = await viewing.json<Shape>(`/api/slides/${ID}`);
    const { cols, rows, side } = shape.grid;
    const { patches } = await viewing.json<{ patches: { col: number; row: number; state: string }[] }>(
      `/api/slides/${ID}/patches`,
    );
    const kept = await stored(0);
    const states = new Map(patches.map(({ col, row, state }) => [`${col} ${row}`, state]));
    expect(new Set(states.values())).toEqual(new Set(['segmented', 'empty']));
    let wrong = 0;
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) {
        const { data } = await tile(0, col, row);
        const isKnown = states.get(`${col} ${row}`) === 'segmented';
        for (let y = 0; y < side; y++)
          for (let x = 0; x < side; x++) {
            const [u, v] = [col * side + x, row * side + y];
            const isThere = isKnown && u < kept.width && v < kept.height;
            const truth = isThere ? kept.data[v * kept.width + u]! : 0;
            const i = (y * side + x) * 2;
            if (data[i] !== truth || data[i + 1] !== (isThere ? 255 : 0)) wrong += 1;
          }
      }
    expect(wrong).toBe(0);
  });

  it.each([1, 2])('are served at level %i as the store has them', async level => {
    const { shape } = await viewing.json<Shape>(`/api/slides/${ID}`);
    const { side } = shape.grid;
    const kept = await stored(level);
    const { data } = await tile(level, 0, 0);
    let wrong = 0;
    for (let y = 0; y < Math.min(side, kept.height); y++)
      for (let x = 0; x < Math.min(side, kept.width); x++)
        if (data[(y * side + x) * 2] !== kept.data[y * kept.width + x]) wrong += 1;
    expect(wrong).toBe(0);
  });

  it('are there for slides of earlier starts, and of no slide that kept none', async () => {
    const later = await startLooking(viewing.out);
    const { threshold } = (await later.json<Shape>(`/api/slides/${ID}`)).probability!;
    expect(threshold).toBe(keptThreshold(join(viewing.out, ID)));
    await later.close();
    const without = await startViewing();
    await without.segment();
    expect((await without.json<Shape>(`/api/slides/${ID}`)).probability).toBeNull();
    expect((await without.get(`/api/slides/${ID}/probability/0/0/0`)).status).toBe(404);
    expect(existsSync(join(without.out, ID, PROBABILITY_STORE))).toBe(false);
    await without.close();
  });

  it.each(['0/99/0', '0/0/99', '40/0/0', '41/0/0', '0/-1/0', '0/x/0', '0/..%2f..%2f0/0'])(
    'have no tile %s',
    async path => {
      const answer = await viewing.get(`/api/slides/${ID}/probability/${path}`);
      expect([400, 404]).toContain(answer.status);
      expect(await answer.text()).not.toContain(viewing.out);
    },
  );

  it('do not go with workers, who answer with masks', async () => {
    const config = await configure({ out: await emptyFolder(), engine: 'null', role: 'ingest', probabilities: true });
    await expect(openParts(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('a store of probabilities', () => {
  const plan = planPatches(
    {
      ...{ id: 's', path: 's', format: '', mpp: 0.5, fingerprint: 'f', properties: {} },
      levels: [{ width: 100, height: 90, downsample: 1, mpp: 0.5, tileWidth: 64, tileHeight: 64 }],
    },
    { spacing: 0.5, patchSize: 128, margin: 32 },
  );
  const chunk = (folder: string, col: number, row: number) => join(folder, PROBABILITY_STORE, '0', `${row}/${col}`);
  const full = new Uint8Array(128 ** 2).fill(200);

  it('forgets a patch that is done again without them, and all when a run begins anew', async () => {
    const folder = await emptyFolder();
    const store = ProbabilityStore.open(folder, plan, true, 0.5)!;
    store.write(0, 0, full);
    store.write(1, 0, new Uint8Array(128 ** 2));
    // A patch with none above 0 is known all the same.
    expect([existsSync(chunk(folder, 0, 0)), existsSync(chunk(folder, 1, 0))]).toEqual([true, true]);
    const later = ProbabilityStore.open(folder, plan, false, undefined)!;
    later.remove(0, 0);
    expect([existsSync(chunk(folder, 0, 0)), existsSync(chunk(folder, 1, 0))]).toEqual([false, true]);
    expect(ProbabilityStore.open(folder, plan, true, undefined)).toBeUndefined();
    expect(existsSync(join(folder, PROBABILITY_STORE))).toBe(false);
  });

  it('has nothing where the slide stores nothing', async () => {
    const folder = await emptyFolder();
    const missing = [{ x: 3, y: 5, width: 7, height: 11 }];
    ProbabilityStore.open(folder, plan, true, 0.5)!.write(0, 0, full, missing);
    const root = {
      get: async (key: string) => {
        const path = join(folder, PROBABILITY_STORE, key);
        return existsSync(path) ? new Uint8Array(await readFile(path)) : undefined;
      },
    };
    const array = await zarr.open.v2(zarr.root(root).resolve('0'), { kind: 'array' });
    const { data } = (await zarr.get(array, [zarr.slice(0, 64), zarr.slice(0, 64)])) as { data: Uint8Array };
    const wrong = [...data.keys()].filter(i => {
      const [x, y] = [i % 64, Math.floor(i / 64)];
      const isMissing = x >= 3 && x < 10 && y >= 5 && y < 16;
      return data[i] !== (isMissing ? 0 : 200);
    });
    expect(wrong).toEqual([]);
  });
});

it('means count what lies inside alone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 4),
      fc.nat(9),
      fc.nat(9),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (factor, width, height, raster) => {
        const out = means(raster, 8, factor, width, height);
        for (const [i, mean] of out.entries()) {
          const [x0, y0] = [(i % (8 / factor)) * factor, Math.floor(i / (8 / factor)) * factor];
          const inside = [...raster.keys()].filter(at => {
            const [x, y] = [at % 8, Math.floor(at / 8)];
            return (
              x >= x0 && x < x0 + factor && y >= y0 && y < y0 + factor && (factor === 1 || (x < width && y < height))
            );
          });
          const sum = inside.reduce((total, at) => total + raster[at]!, 0);
          expect(mean).toBe(inside.length === 0 ? 0 : Math.round(sum / inside.length));
        }
      },
    ),
  );
});

describe('the viewer', () => {
  const complaints: string[] = [];
  async function openPage(url: string): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
    page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', error => complaints.push(error.message));
    await page.goto(url);
    return page;
  }
  const until = async (page: Page, expression: string): Promise<void> => {
    while (!(await page.evaluate(expression))) await page.evaluate('new Promise(requestAnimationFrame)');
  };

  it('shows what is above the threshold in full, what is below faintly, and says that it is not what was published', async () => {
    const page = await openPage(`${viewing.server.url}/view/#${ID}`);
    await until(page, 'globalThis.stromaflow?.view()?.settled');
    await page.getByLabel('Patterns').uncheck();
    await page.getByLabel('Opacity').fill('1');
    expect(await page.locator('#cut').isVisible()).toBe(false);
    await page.locator('#style').selectOption('probability');
    for (const [threshold, level] of [
      [0.25, 0],
      [0.6, 0],
      [0.4, 1],
    ] as const) {
      await page.getByLabel('Threshold').fill(String(threshold));
      const [left, top] = [256, 512];
      await page.evaluate(`(() => {
        const { viewer } = stromaflow.view(), { clientWidth, clientHeight } = document.getElementById('overlay');
        const [width, height] = [clientWidth * ${2 ** level} / 2220, clientHeight * ${2 ** level} / 2220];
        viewer.viewport.zoomTo(1 / width, null, true);
        viewer.viewport.panTo(new OpenSeadragon.Point(${left} / 2220 + width / 2, ${top} / 2220 + height / 2), true);
      })()`);
      await until(page, 'new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))');
      await until(page, 'stromaflow.view().settled');
      await page
        .getByText(new RegExp(`^${threshold.toFixed(2)}: [\\d.]+ mm² in view, to look at only \\(published: `))
        .waitFor();
      const read = (await page.evaluate(`(() => {
        const canvas = document.getElementById('overlay'), { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
        let text = '';
        for (let i = 3; i < data.length; i += 4) text += String.fromCharCode(data[i]);
        return { width, height, alpha: btoa(text) };
      })()`)) as { width: number; height: number; alpha: string };
      const alpha = Buffer.from(read.alpha, 'base64');
      const kept = await stored(level);
      let wrong = 0;
      let above = 0;
      for (let y = 0; y < read.height; y++)
        for (let x = 0; x < read.width; x++) {
          const [u, v] = [x + left / 2 ** level, y + top / 2 ** level];
          if (u >= kept.width || v >= kept.height) continue;
          const is = kept.data[v * kept.width + u]! > threshold * 255;
          above += Number(is);
          if (is !== (alpha[y * read.width + x] === 255)) wrong += 1;
        }
      expect(wrong).toBe(0);
      expect(above).toBeGreaterThan(1000);
    }
    // The area must not move the picture that it is counted in, or it would be counted anew without end.
    for (const width of [390, 800, 1000, 1200]) {
      await page.setViewportSize({ width, height: 844 });
      await page.getByText(/^0\.40: [\d.]+ mm² in view/).waitFor();
      const heights = await page.evaluate(`['–.–––', '0.270', '12.345'].map(area => {
        const text = document.getElementById('cut-text');
        text.textContent = text.textContent.replace(/: .* mm²/, ': ' + area + ' mm²');
        return document.getElementById('stage').clientHeight;
      })`);
      expect(new Set(heights as number[]).size, `${width} px`).toBe(1);
    }
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
    const { violations } = (await page.evaluate('axe.run()')) as { violations: { id: string }[] };
    expect(violations.map(({ id }) => id)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('offers them for no slide that kept none', async () => {
    const without = await startViewing();
    await without.segment({ id: 'none' });
    const page = await openPage(`${without.server.url}/view/#none`);
    await until(page, 'globalThis.stromaflow?.view()?.settled');
    expect(await page.locator('#style option[value="probability"]').isDisabled()).toBe(true);
    await page.keyboard.press('o');
    await page.keyboard.press('o');
    await page.keyboard.press('o');
    expect(await page.locator('#style').inputValue()).toBe('fill');
    await page.context().close();
    await without.close();
  });
});
