import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { SLIDE_STATES } from '../event/subjects.js';
import type { BusObserver } from './observe-bus.js';
import { createSlideMetrics } from './slide-metrics.js';

const KINDS = ['mask', 'aggregate', 'slide', 'dlq', 'other'] as const;
const RESULTS = ['ok', 'failed'] as const;
const PUBLISH_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** What is published, and what the published events say of slides and areas. */
export function createBusMetrics(registry: Registry): BusObserver {
  const registers = [registry];
  const publishes = new Counter({
    name: 'stromaflow_bus_publishes_total',
    help: 'Events published, by kind and result.',
    labelNames: ['kind', 'result'],
    registers,
  });
  const inProgress = new Gauge({
    name: 'stromaflow_bus_publishes_in_progress',
    help: 'Events handed to the bus that it has not confirmed.',
    registers,
  });
  const duration = new Histogram({
    name: 'stromaflow_bus_publish_duration_seconds',
    help: 'From handing an event to the bus to its confirmation; long while the server is away.',
    buckets: PUBLISH_SECONDS,
    registers,
  });
  const bytes = new Counter({
    name: 'stromaflow_bus_published_bytes_total',
    help: 'Data of confirmed events, without headers.',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of KINDS) {
    bytes.inc({ kind }, 0);
    for (const result of RESULTS) publishes.inc({ kind, result }, 0);
  }
  const slides = createSlideMetrics(registry, SLIDE_STATES);

  return {
    publishing: () => inProgress.inc(),
    published({ event, content, seconds, error }) {
      const kind = content?.kind ?? 'other';
      inProgress.dec();
      duration.observe(seconds);
      publishes.inc({ kind, result: error === undefined ? 'ok' : 'failed' });
      if (error !== undefined) return;
      bytes.inc({ kind }, event.data.byteLength);
      if (content) slides(content);
    },
  };
}
