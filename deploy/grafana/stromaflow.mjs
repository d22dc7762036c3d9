import { dashboardOf, graph, HERE, here, mean, quantile, quantiles, rate, stat, sumBy } from './panels.mjs';

const ROWS = [
  {
    title: 'Now',
    height: 4,
    width: 3,
    panels: [
      stat('Patches a second', 'short', `sum(${rate('stromaflow_patch_end_to_end_seconds_count')})`, { decimals: 1 }),
      stat('Slides open', 'short', `sum(stromaflow_slides_open${HERE})`),
      stat('Backlog', 'short', `sum(stromaflow_backlog_patches${HERE})`, {
        description: 'Patches of open slides that have no outcome yet.',
      }),
      stat('End to end, p95', 's', quantile(0.95, 'stromaflow_patch_end_to_end_seconds')),
      stat(
        'Dropped as failed',
        'percentunit',
        `sum(${rate('stromaflow_patches_dropped_total', here('reason="failed"'))}) / sum(${rate('stromaflow_patch_end_to_end_seconds_count')})`,
        {
          thresholds: [
            [null, 'green'],
            [0.001, 'orange'],
            [0.01, 'red'],
          ],
        },
      ),
      stat('Bus', 'short', `min(stromaflow_bus_connected${HERE})`, {
        mappings: { 0: ['away', 'red'], 1: ['connected', 'green'] },
      }),
      stat('Watched folder', 'short', `min(stromaflow_watched_folder_up${HERE})`, {
        mappings: { 0: ['away', 'red'], 1: ['there', 'green'] },
      }),
    ],
  },
  {
    title: 'Throughput',
    panels: [
      graph('Items a second, by stage', 'short', [
        [sumBy('stage', rate('stromaflow_stage_items_total', here('result="ok"'))), '{{stage}}'],
      ]),
      graph('Patches a second', 'short', [
        [`sum(${rate('stromaflow_patch_end_to_end_seconds_count')})`, 'done'],
        [`sum(${rate('stromaflow_inference_patches_total')})`, 'segmented'],
        [`sum(${rate('stromaflow_bus_publishes_total', here('kind="mask"', 'result="ok"'))})`, 'masks published'],
      ]),
      graph('Failed items a second, by stage', 'short', [
        [sumBy('stage', rate('stromaflow_stage_items_total', here('result="failed"'))), '{{stage}}'],
      ]),
    ],
  },
  {
    title: 'Latency',
    panels: [
      graph('Patch end to end', 's', quantiles('stromaflow_patch_end_to_end_seconds')),
      graph('Stage p95', 's', [[quantile(0.95, 'stromaflow_stage_duration_seconds', 'stage'), '{{stage}}']]),
      {
        kind: 'heatmap',
        title: 'Patch end to end, distribution',
        unit: 's',
        targets: [
          [sumBy('le', `increase(stromaflow_patch_end_to_end_seconds_bucket${HERE}[$__rate_interval])`), '{{le}}'],
        ],
      },
      ...['read', 'segment', 'publish'].map(stage =>
        graph(`Stage ${stage}`, 's', quantiles('stromaflow_stage_duration_seconds', here(`stage="${stage}"`))),
      ),
    ],
  },
  {
    title: 'Queues and credits',
    panels: [
      graph(
        'Patch slots',
        'short',
        [
          [
            sumBy('instance', `stromaflow_credits_capacity${HERE} - stromaflow_credits_free${HERE}`),
            'taken, {{instance}}',
          ],
          [sumBy('instance', `stromaflow_credits_capacity${HERE}`), 'all, {{instance}}'],
        ],
        {
          description:
            'All taken: the graph is the bottleneck, as it should be while there is work. None taken: the source is.',
        },
      ),
      graph(
        'Inside each stage',
        'short',
        [[sumBy('stage', `stromaflow_stage_items_in_progress${HERE}`), '{{stage}}']],
        { stack: true },
      ),
      graph(
        'Waiting for a slot',
        'percentunit',
        [[sumBy('instance', rate('stromaflow_credit_wait_seconds_sum')), '{{instance}}']],
        {
          description: 'Share of the time in which the source waited for the graph.',
        },
      ),
    ],
  },
  {
    title: 'Batches and inference',
    panels: [
      graph('Batch size, mean', 'short', [[mean('stromaflow_batch_patches'), '{{instance}}']]),
      graph(
        'Batches a second, by what sealed them',
        'short',
        [[sumBy('reason', rate('stromaflow_batch_flushes_total')), '{{reason}}']],
        { stack: true },
      ),
      graph('Batch open for', 's', quantiles('stromaflow_batch_wait_seconds')),
      graph('Inference, a batch', 's', quantiles('stromaflow_inference_duration_seconds')),
      graph('Inference, patches a second of engine time', 'short', [
        [
          `${sumBy('instance', rate('stromaflow_inference_patches_total'))} / ${sumBy('instance', rate('stromaflow_inference_duration_seconds_sum'))}`,
          '{{instance}}',
        ],
      ]),
      graph('Engine busy', 'percentunit', [
        [sumBy('instance', rate('stromaflow_inference_duration_seconds_sum')), '{{instance}}'],
      ]),
      graph('Engine started again, an hour', 'short', [
        [sumBy('instance', `increase(stromaflow_engine_restarts_total${HERE}[1h])`), '{{instance}}'],
      ]),
      graph('Largest batch', 'short', [[`stromaflow_engine_batch_limit_patches${HERE}`, '{{instance}}']], {
        description: 'Falls when memory has no room for the batch that was asked for.',
      }),
      graph('Models taken up, a day', 'short', [
        [sumBy('result', `increase(stromaflow_model_reloads_total${HERE}[1d])`), '{{result}}'],
      ]),
    ],
  },
  {
    title: 'Drops',
    width: 12,
    panels: [
      graph(
        'Patches without a mask, a second',
        'short',
        [[sumBy('reason', rate('stromaflow_patches_dropped_total')), '{{reason}}']],
        { stack: true },
      ),
      graph('Share of patches without a mask', 'percentunit', [
        [
          `${sumBy('reason', rate('stromaflow_patches_dropped_total'))} / ignoring (reason) group_left sum(${rate('stromaflow_patch_end_to_end_seconds_count')})`,
          '{{reason}}',
        ],
      ]),
    ],
  },
  {
    title: 'Events on NATS',
    panels: [
      graph('Events a second, by kind', 'short', [
        [sumBy('kind', rate('stromaflow_bus_publishes_total', here('result="ok"'))), '{{kind}}'],
      ]),
      graph('Until confirmed', 's', quantiles('stromaflow_bus_publish_duration_seconds')),
      graph('Unconfirmed', 'short', [
        [sumBy('instance', `stromaflow_bus_publishes_in_progress${HERE}`), '{{instance}}'],
      ]),
      graph('Refused a second, by kind', 'short', [
        [sumBy('kind', rate('stromaflow_bus_publishes_total', here('result="failed"'))), '{{kind}}'],
      ]),
      graph('Data', 'Bps', [[sumBy('kind', rate('stromaflow_bus_published_bytes_total')), '{{kind}}']]),
      graph('Connected', 'short', [[sumBy('instance', `stromaflow_bus_connected${HERE}`), '{{instance}}']], { max: 1 }),
    ],
  },
  {
    title: 'Slides and areas',
    panels: [
      graph('Slides an hour, by state', 'short', [
        [sumBy('state', `rate(stromaflow_slides_total${HERE}[1h]) * 3600`), '{{state}}'],
      ]),
      graph('Open slides and backlog', 'short', [
        [`sum(stromaflow_slides_open${HERE})`, 'slides open'],
        [`sum(stromaflow_backlog_patches${HERE})`, 'patches to do'],
      ]),
      graph('Area, mm² a minute', 'short', [
        [`sum(${rate('stromaflow_stroma_mm2_total')}) * 60`, 'stroma'],
        [`sum(${rate('stromaflow_tissue_mm2_total')}) * 60`, 'tissue'],
      ]),
      graph(
        'Stroma of tissue',
        'percentunit',
        [[`sum(${rate('stromaflow_stroma_mm2_total')}) / sum(${rate('stromaflow_tissue_mm2_total')})`, 'stroma']],
        {
          max: 1,
          description: 'A jump that lasts over many cases points at staining, scanner or model, not at the patients.',
        },
      ),
      graph('IoU with labels', 'percentunit', [[`stromaflow_iou_ratio${HERE}`, '{{instance}}']], {
        max: 1,
        description: 'Only while a labelled set is replayed; else 0.',
      }),
      { kind: 'table', title: 'What runs', targets: [[`stromaflow_build_info${HERE}`, '']] },
    ],
  },
  {
    title: 'Process',
    panels: [
      graph('CPU, cores', 'short', [[rate('process_cpu_seconds_total'), '{{instance}}']]),
      graph('Resident memory', 'bytes', [[`process_resident_memory_bytes${HERE}`, '{{instance}}']]),
      graph('Event loop late by', 's', [
        [`nodejs_eventloop_lag_p50_seconds${HERE}`, 'p50, {{instance}}'],
        [`nodejs_eventloop_lag_p99_seconds${HERE}`, 'p99, {{instance}}'],
      ]),
      graph('JavaScript heap', 'bytes', [
        [`nodejs_heap_size_used_bytes${HERE}`, 'used, {{instance}}'],
        [`nodejs_heap_size_total_bytes${HERE}`, 'reserved, {{instance}}'],
      ]),
      graph('Garbage collection', 'percentunit', [[sumBy('kind', rate('nodejs_gc_duration_seconds_sum')), '{{kind}}']]),
      graph('Open files', 'short', [[`process_open_fds${HERE}`, '{{instance}}']]),
    ],
  },
];

/** One process, or several alike, from reading to publishing. */
export const stromaflow = () => dashboardOf({ uid: 'stromaflow', title: 'Stromaflow', rows: ROWS });
