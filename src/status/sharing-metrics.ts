import { Counter, Gauge, type Registry } from 'prom-client';
import { askedOnce } from './asked.js';

/** What a process that hands work out can be asked. */
export interface HandedOut {
  /** Patches that are out. */
  readonly backlog: number;
  /** Bytes of tiles that were shipped to them. */
  readonly shippedBytes: number;
}

/** What a worker's queue can be asked; TaskQueue fits. */
export interface AskedQueue {
  /** Tasks that wait, and that are in hand, of all workers of the model. */
  backlog(): Promise<{ readonly waiting: number; readonly inHand: number }>;
  readonly standstills: number;
}

const TASK_STATES = ['done', 'put-back', 'given-up', 'void'] as const;
export type TaskState = (typeof TASK_STATES)[number];

export interface SharingMetrics {
  /** Of ingest: what is out is asked at every scrape. Returns what is told of tasks that got lost and were handed out again. */
  handsOut(work: HandedOut): (tasks: number) => void;
  /** Of a worker: its queue is asked at every scrape. Returns what is told of each task that is over. */
  works(queue: AskedQueue): (state: TaskState) => void;
}

/** How work is shared (docs/scaling.md). Its series are there from the moment a process is one that hands out or works. */
export function createSharingMetrics(registry: Registry): SharingMetrics {
  const registers = [registry];
  return {
    handsOut(work) {
      new Gauge({
        name: 'stromaflow_handed_out_patches',
        help: 'Patches that are out with workers, or wait for one; what workers are scaled by.',
        registers,
        collect() {
          this.set(work.backlog);
        },
      });
      new Counter({
        name: 'stromaflow_shipped_tile_bytes_total',
        help: 'Bytes of tiles that were shipped to workers; 0 where they have the folder.',
        registers,
        collect() {
          this.reset();
          this.inc(work.shippedBytes);
        },
      });
      const again = new Counter({
        name: 'stromaflow_tasks_handed_out_again_total',
        help: 'Tasks that got lost and were handed out again.',
        registers,
      });
      return tasks => again.inc(tasks);
    },
    works(queue) {
      const answer = askedOnce(() => queue.backlog());
      new Gauge({
        name: 'stromaflow_tasks_open',
        help: 'Tasks for this model that wait for a worker, or that one of all its workers has in hand. Absent while the server is away.',
        labelNames: ['state'],
        registers,
        async collect() {
          this.reset();
          const backlog = await answer();
          if (!backlog) return;
          this.set({ state: 'waiting' }, backlog.waiting);
          this.set({ state: 'in-hand' }, backlog.inHand);
        },
      });
      new Counter({
        name: 'stromaflow_task_queue_standstills_total',
        help: 'Times that the queue had tasks and handed out none, and its consumer was made anew.',
        registers,
        collect() {
          this.reset();
          this.inc(queue.standstills);
        },
      });
      const tasks = new Counter({
        name: 'stromaflow_tasks_total',
        help: 'Tasks that this worker is over with: done, put back for another try, given up, or void: nobody waited for them any more.',
        labelNames: ['state'],
        registers,
      });
      for (const state of TASK_STATES) tasks.inc({ state }, 0);
      return state => tasks.inc({ state });
    },
  };
}
