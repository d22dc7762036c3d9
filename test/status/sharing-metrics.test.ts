import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createSharingMetrics } from '#src/status/sharing-metrics.js';
import { createStreamMetrics } from '#src/status/stream-metrics.js';
import { parseMetrics } from '../support/metrics-text.js';

const read = async (registry: Registry) => {
  const at = parseMetrics(await registry.metrics());
  return (name: string, labels = {}) => at(`stromaflow_${name}`, labels);
};

describe('metrics of shared work', () => {
  it('are not there in a process that shares none', async () => {
    const registry = new Registry();
    createSharingMetrics(registry);
    expect(await registry.metrics()).not.toContain('stromaflow');
  });

  it('of ingest say what is out now, and what was handed out again', async () => {
    const registry = new Registry();
    const work = { backlog: 0, shippedBytes: 0 };
    const again = createSharingMetrics(registry).handsOut(work);
    expect((await read(registry))('handed_out_patches')).toBe(0);
    work.backlog = 48;
    work.shippedBytes = 1234;
    again(3);
    again(2);
    const at = await read(registry);
    expect(at('handed_out_patches')).toBe(48);
    expect(at('shipped_tile_bytes_total')).toBe(1234);
    expect(at('tasks_handed_out_again_total')).toBe(5);
  });

  it('of a worker ask the queue once a scrape and give this scrape’s answer', async () => {
    const registry = new Registry();
    let asks = 0;
    const queue = {
      standstills: 0,
      async backlog() {
        asks += 1;
        return { waiting: 10 * asks, inHand: asks };
      },
    };
    const over = createSharingMetrics(registry).works(queue);
    for (const state of ['done', 'done', 'put-back', 'given-up'] as const) over(state);
    for (const scrape of [1, 2]) {
      queue.standstills = scrape;
      const at = await read(registry);
      expect(asks).toBe(scrape);
      expect(at('tasks_open', { state: 'waiting' })).toBe(10 * scrape);
      expect(at('tasks_open', { state: 'in-hand' })).toBe(scrape);
      expect(at('task_queue_standstills_total')).toBe(scrape);
      expect(at('tasks_total', { state: 'done' })).toBe(2);
      expect(at('tasks_total', { state: 'put-back' })).toBe(1);
    }
  });

  it('of a worker whose server is away lack the queue, and keep the rest', async () => {
    const registry = new Registry();
    let isAway = false;
    createSharingMetrics(registry).works({
      standstills: 0,
      async backlog() {
        if (isAway) throw new Error('timeout');
        return { waiting: 1, inHand: 1 };
      },
    });
    expect((await read(registry))('tasks_open', { state: 'waiting' })).toBe(1);
    isAway = true;
    const text = await registry.metrics();
    expect(text).not.toMatch(/^stromaflow_tasks_open{/m);
    expect(text).toMatch(/^stromaflow_tasks_total{/m);
  });
});

describe('metrics of streams', () => {
  it('have a series a stream, a limit only where there is one, and nothing while nobody answers', async () => {
    const registry = new Registry();
    let answer: Parameters<typeof createStreamMetrics>[1] = async () => [
      { kind: 'masks', messages: 7, bytes: 21_000, limitBytes: 1e9 },
      { kind: 'tasks', messages: 2, bytes: 400, limitBytes: undefined },
    ];
    createStreamMetrics(registry, () => answer());
    const at = await read(registry);
    expect(at('stream_messages', { stream: 'masks' })).toBe(7);
    expect(at('stream_bytes', { stream: 'tasks' })).toBe(400);
    expect(at('stream_limit_bytes', { stream: 'masks' })).toBe(1e9);
    expect(await registry.metrics()).not.toMatch(/limit_bytes{stream="tasks"}/);
    for (const none of [() => undefined, () => Promise.reject(new Error('away'))]) {
      answer = none;
      expect(await registry.metrics()).not.toMatch(/^stromaflow_stream_\w+{/m);
    }
  });

  it('do not keep a scrape waiting for a server that does not answer', async () => {
    const registry = new Registry();
    createStreamMetrics(registry, () => new Promise(() => undefined));
    expect(await registry.metrics()).toContain('# TYPE stromaflow_stream_messages gauge');
  });
});
