import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { StatusBoard } from '#src/status/board.js';
import { createMetrics } from '#src/status/metrics.js';
import { type StatusServer, startStatusServer } from '#src/status/server.js';
import { engine, exercise, share, streams } from '../status/exercise.js';
import { startPrometheus, type TestPrometheus } from '../support/prometheus-server.js';

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { uid: string };
  targets?: { expr: string; datasource: { uid: string } }[];
}
interface Dashboard {
  id: null;
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: unknown }[] };
}

const NAMES = ['stromaflow', 'fleet'] as const;
const read = (name: string) => JSON.parse(readFileSync(`deploy/grafana/dashboards/${name}.json`, 'utf8')) as Dashboard;
// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of Grafana's variables
const DATASOURCE_VARIABLE = '${datasource}';
const queries = NAMES.flatMap(name => read(name).panels).flatMap(panel =>
  (panel.targets ?? []).map(({ expr }) => [panel.title, expr] as const),
);
const groups = ['alerts', 'slo'].flatMap(
  name =>
    (
      parse(readFileSync(`deploy/prometheus/${name}.yml`, 'utf8')) as {
        groups: { rules: { alert?: string; record?: string; expr: string }[] }[];
      }
    ).groups,
);
const rules = groups.flatMap(group =>
  group.rules.map(({ alert, record, expr }) => [alert ?? record ?? '', expr] as const),
);

describe.each(NAMES)('the dashboard %s', name => {
  const dashboard = read(name);

  it('is what its script writes', async () => {
    const script = new URL('../../deploy/grafana/build-dashboards.mjs', import.meta.url);
    const { DASHBOARDS } = (await import(script.href)) as { DASHBOARDS: Record<string, () => unknown> };
    expect(Object.keys(DASHBOARDS)).toEqual(NAMES);
    expect(dashboard).toEqual(JSON.parse(JSON.stringify(DASHBOARDS[name]?.())));
  });

  it('can be provisioned: a raw model, with a variable for the data source', () => {
    expect(dashboard).toMatchObject({ id: null, uid: name === 'fleet' ? 'stromaflow-fleet' : name });
    expect(dashboard).not.toHaveProperty('__inputs');
    expect(dashboard.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' });
    for (const { datasource, targets } of dashboard.panels.filter(panel => panel.type !== 'row')) {
      expect(datasource?.uid).toBe(DATASOURCE_VARIABLE);
      expect(targets?.every(target => target.datasource.uid === DATASOURCE_VARIABLE)).toBe(true);
    }
  });

  it('has panels side by side, none over another', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const [index, { gridPos: a, title }] of dashboard.panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { gridPos: b, title: other } of dashboard.panels.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${title} and ${other}`).toBe(true);
      }
    }
  });
});

describe('Grafana’s provisioning', () => {
  it('is found where the provider looks', () => {
    const read = (path: string): unknown => parse(readFileSync(path, 'utf8'));
    expect(read('deploy/grafana/provisioning/dashboards/stromaflow.yaml')).toMatchObject({
      providers: [{ type: 'file', options: { path: '/var/lib/grafana/dashboards' } }],
    });
    expect(read('deploy/grafana/provisioning/datasources/prometheus.yaml')).toMatchObject({
      datasources: [{ type: 'prometheus', uid: expect.any(String) }],
    });
  });
});

describe('a Prometheus that scrapes a running instance', () => {
  let server: StatusServer;
  let prometheus: TestPrometheus;
  let known: ReadonlySet<string>;

  beforeAll(async () => {
    const bus = createMemoryBus();
    const metrics = createMetrics({
      version: '1.2.3',
      engine,
      connected: () => bus.connected,
      folderUp: () => true,
      streams,
    });
    const over = share(metrics);
    const board = new StatusBoard({ version: '1.2.3', bus });
    server = await startStatusServer({
      port: 0,
      metrics,
      status: () => board.report(),
      readiness: () => ({ components: {} }),
    });
    prometheus = await startPrometheus(new URL(server.url).host, ['deploy/prometheus/slo.yml']);
    // A rate needs two scrapes with something between them; garbage is collected when V8 sees fit.
    const scraped =
      'count_over_time(up[1m]) >= 8 and on () rate(nodejs_gc_duration_seconds_sum[1m]) > 0 and on () stromaflow:failed:burn_rate3d';
    while ((await prometheus.query(scraped)).length === 0) {
      await exercise(metrics, { slides: 4 });
      for (const state of ['done', 'put-back', 'given-up'] as const) over(state);
      await sleep(100);
    }
    const names = (await metrics.text()).matchAll(/^([a-z][a-z0-9_]*)[ {]/gm);
    known = new Set(['up', ...[...names].map(([, name]) => name ?? ''), ...rules.map(([name]) => name)]);
  });
  afterAll(async () => {
    await prometheus.stop();
    await server.close();
  });

  const metricsIn = (expression: string): string[] =>
    [...expression.matchAll(/\b(?:up\b|(?:stromaflow|process|nodejs)[_:][a-z0-9_:]+)/g)].map(([name]) => name);

  it.each([...queries, ...rules])('knows every metric of “%s”', (_title, expression) => {
    const names = metricsIn(expression);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter(name => !known.has(name))).toEqual([]);
  });

  it.each(queries)('has an answer for the panel “%s”', async (_title, expression) => {
    const concrete = expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
    let result = await prometheus.query(concrete);
    // After a scrape that a busy machine missed nothing has an answer until the next one.
    while (result.length === 0 && (await prometheus.query('min_over_time(up[10s]) == 0')).length > 0) {
      await sleep(100);
      result = await prometheus.query(concrete);
    }
    expect(result.length, concrete).toBeGreaterThan(0);
    const finite = result.filter(({ value }) => Number.isFinite(Number(value[1])));
    expect(finite.length, `${concrete}\n${JSON.stringify(result)}`).toBeGreaterThan(0);
  });

  it.each(rules)('can evaluate the rule %s', async (_rule, expression) => {
    await prometheus.query(expression);
  });

  it('gives the instances that the dashboard’s variable lists', async () => {
    const [build] = await prometheus.query('stromaflow_build_info');
    expect(build?.metric).toMatchObject({ instance: new URL(server.url).host, version: '1.2.3', model: 'starter' });
  });
});
