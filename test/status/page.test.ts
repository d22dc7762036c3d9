import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventBus } from '#src/event/bus.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { StatusBoard } from '#src/status/board.js';
import { createMetrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import { type StatusServer, startStatusServer } from '#src/status/server.js';
import { SlideShelf } from '#src/view/shelf.js';
import { aggregate, createSampleEvents, maskInput, slidePayloads } from '../event/samples.js';
import { emptyFolder } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';
import { engine } from './exercise.js';

const events = createSampleEvents();
let browser: Browser;
let server: StatusServer;
let bus: EventBus;
let board: StatusBoard;
const folder: { root: string; reason: string | undefined } = { root: '/scans/gt450', reason: undefined };

beforeAll(async () => {
  const executablePath = requireBinary('chromium', 'apt-get install chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const raw = createMemoryBus();
  board = new StatusBoard({ version: '1.2.3', bus: raw, engine, folder });
  bus = observeBus(raw, [board.busObserver]);
  server = await startStatusServer({
    port: 0,
    metrics: createMetrics({ version: '1.2.3' }),
    status: () => board.report(),
    readiness: () => ({ components: {} }),
    grid: slide => board.grid(slide),
  });
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

describe('the page for people', () => {
  let page: Page;
  const complaints: string[] = [];
  const requests: string[] = [];
  beforeEach(async () => {
    page = await browser.newPage();
    page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', error => complaints.push(error.message));
    page.on('request', request => requests.push(request.url()));
    return () => page.close();
  });

  it('shows what the report says, keeps up with it, and speaks to nobody else', async () => {
    await page.goto(server.url);
    await page.getByText('No slide yet.').waitFor();
    await page.getByText('starter@0.1.0+ab').waitFor();
    await page.getByText('watching /scans/gt450', { exact: true }).waitFor();
    folder.reason = '/scans/gt450: does not answer';
    await page.getByText('watching /scans/gt450 (away: /scans/gt450: does not answer)').waitFor();
    folder.reason = undefined;

    await bus.publish(events.slide('opened', slidePayloads.opened));
    await bus.publish(events.mask(maskInput()));
    const { ref } = maskInput();
    board.observer.dropped('missing', { ...ref, col: 0, row: 0 });
    board.observer.dropped('failed', { ...ref, col: 1, row: 0 });
    board.observer.dropped('empty', { ...ref, col: 2, row: 0 });
    const tiles = { expected: 40, seen: 36, missing: 3, drawn: 1, late: 0, overwritten: 0 };
    await bus.publish(events.aggregate({ ...aggregate, tiles }, 'r'));
    const card = page.locator('article', { hasText: aggregate.slide });
    await card.getByText('18 of 20 patches (5 empty, 1 failed)').waitFor();
    await card.getByText('stroma 0.400 mm² of 0.800 mm² tissue (50.0 %)').waitFor();
    await card.getByText('IoU 0.8125 on 12 labelled patches').waitFor();
    await card.getByText('3 of 40 tiles missing').waitFor();
    const canvas = 'document.querySelector("article canvas")';
    // The colours of a patch of 8 × 8 in a grid of 5 × 4: one for a mask, none where nothing is known, lines for the others.
    const colours = (col: number, row: number): string =>
      `(data => [...new Set(Array.from({ length: 64 }, (_, i) => [...data.slice(i * 4, i * 4 + 4)].join()))])` +
      `(${canvas}.getContext('2d').getImageData(${col * 8}, ${row * 8}, 8, 8).data)`;
    await page.waitForFunction(`${colours(3, 2)}[0].endsWith(',255')`);
    expect(await page.evaluate(`[${canvas}.width, ${canvas}.height]`)).toEqual([40, 32]);
    expect(await page.evaluate(`${colours(3, 2)}.length`)).toBe(1);
    expect(await page.evaluate(colours(2, 0))).toEqual(['0,0,0,0']);
    const [missing, failed] = [await page.evaluate(colours(0, 0)), await page.evaluate(colours(1, 0))] as string[][];
    expect([missing!.length, failed!.length]).toEqual([2, 2]);
    expect(missing).not.toEqual(failed);

    // The events of the samples are old.
    await card.getByText(/^nothing new for /).waitFor();
    await bus.publish(events.slide('progress', slidePayloads.progress));
    expect(await page.locator('#viewer').count()).toBe(0);

    await bus.publish(events.slide('completed', slidePayloads.completed));
    await card.getByText('completed').waitFor();
    expect(complaints).toEqual([]);
    expect(requests.filter(url => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([]);
  });

  it('shows text from a slide as text', async () => {
    const error = { ...slidePayloads.failed.error, message: '<img src=x onerror="document.title=1">' };
    await bus.publish(events.slide('failed', { slide: 'evil', error }));
    await page.goto(server.url);
    await page.locator('article', { hasText: 'evil' }).getByText('<img src=x').waitFor();
    expect(await page.title()).toBe('Stromaflow');
    expect(await page.locator('main img:not(#curves)').count()).toBe(0);
  });

  it('shows the way to the viewer, where there is one, for each slide', async () => {
    const shelf = new SlideShelf(await emptyFolder());
    const other = await startStatusServer({
      ...{ port: 0, metrics: createMetrics({ version: '1.2.3' }), shelf },
      ...{ status: () => board.report(), readiness: () => ({ components: {} }) },
    });
    await page.goto(other.url);
    await page.getByRole('link', { name: 'viewer: ' }).waitFor();
    const { slide } = slidePayloads.opened;
    await page.getByRole('link', { name: slide }).click();
    await page.waitForURL(`${other.url}/view/#${encodeURIComponent(slide)}`);
    await other.close();
    await shelf.close();
  });

  it.each([
    [1400, 'light'],
    [390, 'light'],
    [1400, 'dark'],
    [390, 'dark'],
  ] as const)('has nothing that axe finds, and nothing off the screen, %i px wide, %s', async (width, colorScheme) => {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    await page.goto(server.url);
    await page.locator('article', { hasText: 'evil' }).waitFor();
    await page.locator('#stages tr').first().waitFor();
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
    const { violations } = (await page.evaluate('axe.run()')) as { violations: { id: string }[] };
    expect(violations.map(({ id }) => id)).toEqual([]);
    const right = `Math.max(...[...document.querySelectorAll('*')].map(e => e.getBoundingClientRect().right))`;
    expect(await page.evaluate(right)).toBeLessThanOrEqual(width);
  });

  it('says so when the server is gone', async () => {
    await page.goto(server.url);
    await page.getByText('running').waitFor();
    await server.close();
    await page.getByText('no answer').waitFor();
  });
});
