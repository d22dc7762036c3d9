import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import { createSampleEvents, slidePayloads } from '../event/samples.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';
import { holdSlide, ID, startLooking, startViewing, storedMask, type Viewing } from './viewing.js';

let browser: Browser;
let viewing: Viewing;
const complaints: string[] = [];
const requests: string[] = [];

beforeAll(async () => {
  const executablePath = requireBinary('chromium', 'apt-get install chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  viewing = await startViewing();
  await viewing.segment();
});
afterAll(async () => {
  await browser.close();
  await viewing.close();
});
beforeEach(() => {
  complaints.length = 0;
  requests.length = 0;
  return () => {
    expect(complaints).toEqual([]);
    expect(requests.filter(url => !/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(url))).toEqual([]);
  };
});

async function openPage(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => requests.push(request.url()));
  await page.goto(url);
  return page;
}

/** Waits for what only the page knows; its policy forbids what playwright's own waiting does. */
async function until(page: Page, expression: string): Promise<void> {
  while (!(await page.evaluate(expression))) await page.evaluate('new Promise(requestAnimationFrame)');
}

const settled = (page: Page): Promise<void> =>
  until(
    page,
    'globalThis.stromaflow?.view()?.settled && stromaflow.view().viewer.world.getItemAt(0)?.getFullyLoaded() === true',
  );

/** Puts a level-0 pixel in the upper left corner, at so many screen pixels per level-0 pixel. */
async function lookAt(page: Page, left: number, top: number, scale: number): Promise<void> {
  await page.evaluate(`(() => {
    const { viewer } = stromaflow.view();
    const { clientWidth, clientHeight } = document.getElementById('overlay');
    const [width, height] = [clientWidth / ${scale} / 2220, clientHeight / ${scale} / 2220];
    viewer.viewport.zoomTo(1 / width, null, true);
    viewer.viewport.panTo(new OpenSeadragon.Point(${left} / 2220 + width / 2, ${top} / 2220 + height / 2), true);
  })()`);
  await until(page, 'new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))');
  await settled(page);
}

/** What a canvas shows: RGBA. */
async function pixelsOf(page: Page, canvas: string): Promise<{ width: number; height: number; data: Buffer }> {
  const read = await page.evaluate(`(() => {
    const canvas = ${canvas};
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    let text = '';
    for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
    return { width, height, text: btoa(text) };
  })()`);
  const { width, height, text } = read as { width: number; height: number; text: string };
  return { width, height, data: Buffer.from(text, 'base64') };
}

/** Compares the mask on the screen, pixel by pixel, with what mask.ome.zarr holds at that resolution. */
async function compareMask(page: Page, slide: string, level: number, left: number, top: number): Promise<number> {
  await lookAt(page, left, top, 1 / 2 ** level);
  const stored = await storedMask(viewing.out, slide, level);
  const { width, height, data } = await pixelsOf(page, "document.getElementById('overlay')");
  let wrong = 0;
  let set = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [u, v] = [x + left / 2 ** level, y + top / 2 ** level];
      const inside = u < stored.width && v < stored.height;
      const is = inside ? stored.data[v * stored.width + u]! : 0;
      const shown = data[(y * width + x) * 4 + 3]! > 0 ? 1 : 0;
      set += is;
      if (is !== shown) wrong += 1;
    }
  expect(set).toBeGreaterThan(5000);
  return wrong;
}

async function bare(page: Page): Promise<void> {
  await page.getByLabel('Patterns').uncheck();
  await page.getByLabel('Opacity').fill('1');
}

describe('the viewer', () => {
  it.each([
    [0, 512, 700],
    [1, 0, 0],
    [2, 0, 0],
  ])('shows the mask where mask.ome.zarr has it, at level %i', async (level, left, top) => {
    const page = await openPage(`${viewing.server.url}/view/#${ID}`);
    await settled(page);
    await bare(page);
    expect(await compareMask(page, ID, level, left, top)).toBe(0);
    await page.context().close();
  });

  it('shows the slide below it', async () => {
    const page = await openPage(`${viewing.server.url}/view/#${ID}`);
    await settled(page);
    await lookAt(page, 600, 900, 1);
    const { width, height, data } = await pixelsOf(page, 'stromaflow.view().viewer.drawer.canvas');
    const truth = await sharp(SLIDE, { page: 0 })
      .removeAlpha()
      .extract({ left: 600, top: 900, width, height })
      .raw()
      .toBuffer();
    let error = 0;
    for (let i = 0; i < width * height; i++)
      for (let channel = 0; channel < 3; channel++) error += Math.abs(data[i * 4 + channel]! - truth[i * 3 + channel]!);
    // A picture that is off by half a pixel has three times as much.
    expect(error / truth.length).toBeLessThan(4);
    await page.context().close();
  });

  it('shows slide, mask and counts as they come, and the same when all is done', async () => {
    const held = await holdSlide(viewing, 'live');
    const page = await openPage(`${viewing.server.url}/view/#live`);
    await page.getByText('30 not segmented yet').waitFor();
    await settled(page);
    const white = await pixelsOf(page, 'stromaflow.view().viewer.drawer.canvas');
    held.read();
    await held.result;
    await page.locator('#state', { hasText: 'completed' }).waitFor();
    await page.getByText('0 not segmented yet').waitFor();
    await page.getByText('21 segmented').waitFor();
    await bare(page);
    for (const level of [0, 2]) expect(await compareMask(page, 'live', level, 0, level === 0 ? 800 : 0)).toBe(0);
    const { area } = JSON.parse(await readFile(join(viewing.out, 'live/summary.json'), 'utf8'));
    await page.locator('dd', { hasText: `${area.stromaMm2.toFixed(3)} mm²` }).waitFor();
    expect(white.width).toBeGreaterThan(0);
    await page.context().close();
  });

  it('is worked by keys: style, opacity, measuring, a picture to keep', async () => {
    const page = await openPage(`${viewing.server.url}/view/#${ID}`);
    await settled(page);
    await page.keyboard.press('o');
    expect(await page.locator('#style').inputValue()).toBe('outline');
    await page.keyboard.press(']');
    expect(await page.locator('#opacity').inputValue()).toBe('0.6');
    await page.keyboard.press('f');
    expect(await page.locator('#follow').getAttribute('aria-pressed')).toBe('true');
    await lookAt(page, 0, 0, 0.5);
    await page.keyboard.press('m');
    await page.keyboard.press('Enter');
    await lookAt(page, 1000, 0, 0.5);
    await page.keyboard.press('Enter');
    // 1000 pixels of 0.499 µm.
    await page.getByText('499 µm').waitFor();
    const download = page.waitForEvent('download');
    await page.keyboard.press('s');
    const kept = await download;
    expect(kept.suggestedFilename()).toBe(`${ID}.png`);
    const picture = await sharp(await kept.path()).stats();
    expect(picture.isOpaque).toBe(true);
    expect(picture.entropy).toBeGreaterThan(3);
    await page.context().close();
  });

  it.each([
    [1400, 'light'],
    [390, 'light'],
    [1400, 'dark'],
    [390, 'dark'],
  ] as const)('has nothing that axe finds, %i px wide, %s', async (width, colorScheme) => {
    const page = await openPage(`${viewing.server.url}/view/#${ID}`, {
      viewport: { width, height: 844 },
      colorScheme,
    });
    await settled(page);
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
    const { violations } = (await page.evaluate('axe.run()')) as {
      violations: { id: string; nodes: { html: string }[] }[];
    };
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await page.context().close();
  });

  it('tells a server that does not answer from a slide that is not there, and asks again', async () => {
    const page = await openPage(`${viewing.server.url}/view/#nothing`);
    await until(page, "document.getElementById('empty').textContent === 'There is no slide nothing.'");
    await page.route('**/api/**', route => route.abort());
    await page.evaluate(`location.hash = '${ID}'`);
    await until(page, "document.getElementById('empty').textContent.startsWith('The server does not answer')");
    await page.unroute('**/api/**');
    await until(page, "!document.getElementById('viewer').hidden && globalThis.stromaflow.view() !== undefined");
    // The browser says so, too.
    expect(complaints.length).toBeGreaterThan(0);
    expect(complaints.filter(text => !text.startsWith('Failed to load resource'))).toEqual([]);
    complaints.length = 0;
    await page.context().close();
  });

  it('says of a slide that could not be opened what to do, and nothing of its areas', async () => {
    const path = join(await emptyFolder(), 'broken.svs');
    await writeFile(path, 'no slide');
    await viewing.segment({ id: 'broken', path, open: () => openSlide(path, { id: 'broken' }) });
    const page = await openPage(`${viewing.server.url}/view/#broken`);
    await page.locator('#notes', { hasText: 'SLIDE_UNREADABLE: check that' }).waitFor();
    expect(await page.locator('#stage, #tools, #figures').filter({ visible: true }).count()).toBe(0);
    await page.evaluate(`location.hash = '${ID}'`);
    await until(page, "!document.getElementById('stage').hidden && !document.getElementById('tools').hidden");
    await page.context().close();
  });

  it('says that there is no slide yet, and how long an open one has said nothing', async () => {
    const looking = await startLooking(await emptyFolder());
    const page = await openPage(`${looking.server.url}/view/`);
    await until(page, "document.getElementById('empty').textContent.startsWith('No slide yet.')");
    const hear = (time: string): void => {
      const event = { ...createSampleEvents().slide('opened', slidePayloads.opened), time };
      looking.shelf.busObserver.published({ content: decodeEvent(event)! } as never);
    };
    const { slide } = slidePayloads.opened;
    hear(new Date().toISOString());
    await page.getByText('Choose a slide.').waitFor();
    const entry = page.locator('#slides a', { hasText: slide });
    expect(await entry.textContent()).not.toContain('nothing new');
    hear(new Date(Date.now() - 7_200_000).toISOString());
    await entry.getByText(/nothing new for 2\.0\sh/).waitFor();
    await entry.click();
    await page.locator('#eta', { hasText: 'nothing new for' }).waitFor();
    await page.context().close();
    await looking.close();
  });

  it('lists five hundred slides, and finds one', async () => {
    const out = await emptyFolder();
    const summary = JSON.parse(await readFile(join(viewing.out, ID, 'summary.json'), 'utf8'));
    for (let i = 0; i < 500; i++) {
      const slide = `case-${String(i).padStart(3, '0')}`;
      await mkdir(join(out, slide));
      await writeFile(join(out, slide, 'summary.json'), JSON.stringify({ ...summary, slide }));
    }
    await cp(join(viewing.out, ID), join(out, ID), { recursive: true });
    const looking = await startLooking(out);
    const page = await openPage(`${looking.server.url}/view/`);
    await page.getByText('501 slides').waitFor();
    expect(await page.locator('#slides li').count()).toBe(501);
    await page.getByLabel('Find a slide').fill('small');
    await page.locator('#count', { hasText: /^1 slide$/ }).waitFor();
    await page.locator('#slides a').press('Enter');
    await page.locator('h2', { hasText: ID }).waitFor();
    await page.getByText('21 segmented').waitFor();
    await page.context().close();
    await looking.close();
  });
});
