import { dashboardOf, graph, HERE, here, quantiles, rate, stat, sumBy } from './panels.mjs';

const burn = (slo, window) => `stromaflow:${slo}:burn_rate${window}`;
const left = slo => `1 - ${burn(slo, '3d')}`;
const BUDGET = {
  decimals: 1,
  thresholds: [
    [null, 'red'],
    [0, 'orange'],
    [0.5, 'green'],
  ],
};

const ROWS = [
  {
    title: 'Now',
    height: 4,
    width: 3,
    panels: [
      stat('Processes', 'short', `count(stromaflow_build_info${HERE})`),
      stat('Workers', 'short', `count(${sumBy('instance', `stromaflow_tasks_total${HERE}`)})`),
      stat('Patches handed out', 'short', `sum(stromaflow_handed_out_patches${HERE})`, {
        description: 'Out with workers, or waiting for one. What workers are scaled by.',
      }),
      stat('Tasks waiting', 'short', `sum(max by (state) (stromaflow_tasks_open${here('state="waiting"')}))`, {
        description: 'All workers of a model see the same queue. With several models choose instances of one.',
      }),
      stat('Tasks in hand', 'short', `sum(max by (state) (stromaflow_tasks_open${here('state="in-hand"')}))`),
      stat('Patches a second', 'short', `sum(${rate('stromaflow_inference_patches_total')})`, { decimals: 1 }),
      stat('Budget left: on time', 'percentunit', left('late'), {
        ...BUDGET,
        description: 'Of the patches that may be late in three days: the share that was not used.',
      }),
      stat('Budget left: not failed', 'percentunit', left('failed'), BUDGET),
    ],
  },
  {
    title: 'Shared work',
    panels: [
      graph('Patches segmented a second, by worker', 'short', [
        [sumBy('instance', rate('stromaflow_inference_patches_total')), '{{instance}}'],
      ]),
      graph('Patches handed out, by ingest', 'short', [
        [sumBy('instance', `stromaflow_handed_out_patches${HERE}`), '{{instance}}'],
      ]),
      graph('Tasks of the queue', 'short', [[`max by (state) (stromaflow_tasks_open${HERE})`, '{{state}}']], {
        stack: true,
      }),
      graph('Tasks over a minute, by end', 'short', [
        [`${sumBy('state', rate('stromaflow_tasks_total'))} * 60`, '{{state}}'],
      ]),
      graph(
        'Handed out again, an hour',
        'short',
        [[sumBy('instance', `increase(stromaflow_tasks_handed_out_again_total${HERE}[1h])`), '{{instance}}']],
        { description: 'The server lost tasks, or a network did. Nothing is lost; patches were done twice.' },
      ),
      graph('Queue stood still, an hour', 'short', [
        [`max(increase(stromaflow_task_queue_standstills_total${HERE}[1h]))`, 'consumer made anew'],
      ]),
    ],
  },
  {
    title: 'Streams of JetStream',
    panels: [
      graph('Messages', 'short', [[`max by (stream) (stromaflow_stream_messages${HERE})`, '{{stream}}']], {
        description: 'Tasks and outcomes: those that are not settled, the lag of workers and of ingest.',
      }),
      graph('Held', 'bytes', [[`max by (stream) (stromaflow_stream_bytes${HERE})`, '{{stream}}']]),
      graph(
        'Full',
        'percentunit',
        [[`max by (stream) (stromaflow_stream_bytes${HERE} / stromaflow_stream_limit_bytes${HERE})`, '{{stream}}']],
        { max: 1, description: 'A stream of masks that is full takes no more: slides wait.' },
      ),
      graph('Until an event is stored', 's', quantiles('stromaflow_bus_publish_duration_seconds')),
      graph('Events a second, by kind', 'short', [
        [sumBy('kind', rate('stromaflow_bus_publishes_total', here('result="ok"'))), '{{kind}}'],
      ]),
      graph('Connected', 'short', [[sumBy('instance', `stromaflow_bus_connected${HERE}`), '{{instance}}']], { max: 1 }),
    ],
  },
  {
    title: 'Objectives: 99 % of the masks within a minute, 99.9 % of the patches not failed',
    width: 12,
    panels: [
      ...[
        ['late', 'Masks late'],
        ['failed', 'Patches failed'],
      ].map(([slo, title]) =>
        graph(
          `${title}: budget burnt, × the rate that lasts`,
          'short',
          ['5m', '1h', '6h', '3d'].map(window => [burn(slo, window), window]),
          { description: '1 uses the budget up exactly; alerts go at 14.4 and 6 (now), at 1 (look this week).' },
        ),
      ),
    ],
  },
  {
    title: 'Machines',
    panels: [
      graph('CPU, cores', 'short', [[rate('process_cpu_seconds_total'), '{{instance}}']]),
      graph('Resident memory', 'bytes', [[`process_resident_memory_bytes${HERE}`, '{{instance}}']]),
      graph('Engine busy', 'percentunit', [
        [sumBy('instance', rate('stromaflow_inference_duration_seconds_sum')), '{{instance}}'],
      ]),
      { kind: 'table', title: 'What runs', targets: [[`stromaflow_build_info${HERE}`, '']] },
    ],
  },
];

/** Several processes that share the work: who does how much, what waits, how full the streams are, and whether the lab is served. */
export const fleet = () => dashboardOf({ uid: 'stromaflow-fleet', title: 'Stromaflow fleet', rows: ROWS });
