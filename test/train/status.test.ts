import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingStatus } from '#src/status/training-book.js';
import { emptyFolder } from '../support/paths.js';
import { requireBinary } from '../support/require-binary.js';
import { createLogisticTrainer } from './logistic-trainer.mjs';
import { type OpenTrainer, runTraining } from './train-context.js';
import { pictureSet, smallBundle } from './train-set.js';

let browser: Browser;
let set: string;
let flags: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  const executablePath = requireBinary('chromium', 'apt-get install chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  set = await pictureSet();
  flags = { model: await smallBundle(), runs: await emptyFolder(), name: 'shown' };
});
afterAll(() => browser.close());

/** A run whose steps (3 an epoch) are held up by whoever looks at it. */
const watched =
  (look: (step: number) => Promise<void>): OpenTrainer =>
  async (...options) => {
    const trainer = await createLogisticTrainer(...options);
    let steps = 0;
    const step: typeof trainer.step = async (batches, rate) => {
      await look(++steps);
      return trainer.step(batches, rate);
    };
    return { ...trainer, step };
  };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

describe('a run that is looked at while it learns', () => {
  it('is ready, tells where it is, draws its curves and feeds Prometheus, and a run gone on with remembers', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const get = async (path: string) => {
      const response = await fetch(`${url}${path}`);
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    };
    const training = async () => (JSON.parse((await get('/status')).text) as { training: TrainingStatus }).training;
    const stop = new AbortController();
    const seen: string[] = [];
    const first = watched(async step => {
      if (step === 1) {
        expect(await get('/readyz')).toMatchObject({
          status: 200,
          text: '{"ready":true,"components":{"training":{"ready":true}}}',
        });
        expect(await training()).toMatchObject({
          run: 'shown',
          state: 'learning',
          epoch: 1,
          epochs: 3,
          done: 0,
          loss: null,
        });
        expect((await get('/training/curves.svg')).status).toBe(404);
        expect((await get('/metrics')).text).not.toContain('best_iou_ratio 0');
      }
      if (step === 2) {
        expect(await training()).toMatchObject({ done: 8, patches: 24, loss: expect.any(Number), history: [] });
        expect((await get('/metrics')).text).toMatch(/^stromaflow_training_images 8$/m);
      }
      if (step === 5) {
        const { history, epoch } = await training();
        expect(epoch).toBe(2);
        expect(history).toEqual([expect.objectContaining({ epoch: 1, rate: 1e-4, best: true })]);
        expect(await get('/training/curves.svg')).toMatchObject({
          status: 200,
          type: expect.stringMatching(/^image\/svg/),
          text: expect.stringMatching(/^<svg .*best: epoch 1/s),
        });
        const iou = history[0]!.validation.iou;
        expect((await get('/metrics')).text).toContain(`stromaflow_training_best_iou_ratio ${iou}\n`);
        stop.abort();
      }
      seen.push(`first ${step}`);
    });
    const cut = await runTraining(set, { ...flags, port }, stop.signal, first);
    expect(cut.result.status).toBe(130);
    const again = watched(async step => {
      if (step === 1) {
        const { epoch, done, history } = await training();
        expect([epoch, done, history.length]).toEqual([2, 16, 1]);
        expect((await get('/metrics')).text).toContain(`best_iou_ratio ${history[0]!.validation.iou}\n`);
        expect((await get('/training/curves.svg')).status).toBe(200);
      }
      seen.push(`again ${step}`);
    });
    const { result } = await runTraining(set, { ...flags, port }, undefined, again);
    expect(result.status).toBe(0);
    expect(seen).toEqual([
      ...[1, 2, 3, 4, 5].map(step => `first ${step}`),
      ...[1, 2, 3, 4].map(step => `again ${step}`),
    ]);
    await expect(fetch(url)).rejects.toThrow();
  });

  it('has a page with its figures, curves and epochs in place of slides', async () => {
    const port = await freePort();
    const complaints: string[] = [];
    let page: Page | undefined;
    const looking = watched(async step => {
      if (step !== 8) return;
      page = await browser.newPage();
      page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', error => complaints.push(error.message));
      await page.goto(`http://127.0.0.1:${port}`);
      await page.getByText('3 of 3').waitFor();
      await page.getByText('learning', { exact: true }).waitFor();
      await page.waitForFunction(`document.getElementById('curves').naturalWidth > 0`);
      expect(await page.locator('#epochs tr').count()).toBe(2);
      expect(await page.locator('#epochs td').first().textContent()).toMatch(/^2( \*)?$/);
      expect(await page.getByText('Slides', { exact: true }).isVisible()).toBe(false);
      expect(await page.locator('#best').textContent()).toMatch(/^[01]\.\d{3}$/);
      if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'], fullPage: true });
    });
    const { result } = await runTraining(set, { ...flags, name: 'seen', port }, undefined, looking);
    expect(result.status).toBe(0);
    await page!.getByText('no answer').waitFor();
    expect(complaints.filter(text => !/ERR_CONNECTION_REFUSED/.test(text))).toEqual([]);
    await page!.close();
  });
});
