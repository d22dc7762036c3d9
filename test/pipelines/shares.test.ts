import { expect, it } from 'vitest';
import { eventually } from '../support/processes.js';
import { openIngest, openServer, queued, segment, startWorker } from './work-support.js';

it('workers are shared by scanners as their --tasks-ahead say, whoever came first', async () => {
  const server = await openServer();
  const common = { 'task-patches': 1, 'keep-empty': true } as const;
  const routine = await openIngest(server, { ...common, scanner: 'routine', 'tasks-ahead': 3 });
  const urgent = await openIngest(server, { ...common, scanner: 'urgent', 'tasks-ahead': 12 });
  const running = [segment(routine.parts, 'routine')];
  await eventually(async () => (await queued(server, ['tasks'])) === 3);
  running.push(segment(urgent.parts, 'urgent'));
  await eventually(async () => (await queued(server, ['tasks'])) === 15);
  const worker = await startWorker(server, parts => parts, { lanes: 1 });
  await eventually(() => worker.results.length >= 24);
  const done = (count: number, slide: string) =>
    worker.results.slice(0, count).filter(result => result.slide === slide);
  // What waited is taken in its order; each task that comes back makes room for another of its own scanner.
  expect(done(15, 'urgent')).toHaveLength(12);
  expect(done(24, 'urgent').length).toBeGreaterThan(16);
  expect(done(24, 'routine').length).toBeGreaterThan(3);
  for (const slide of await Promise.all(running)) expect(slide).toMatchObject({ state: 'completed' });
});
