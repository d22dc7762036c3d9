import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { EngineInfo } from '../engine/segmenter.js';
import type { StreamFill } from '../event/stream/kept-events.js';
import type { PipelineObserver } from '../stage/observer.js';
import { createBusMetrics } from './bus-metrics.js';
import { createEngineMetrics, type EngineMetrics } from './engine-metrics.js';
import type { BusObserver } from './observe-bus.js';
import { createPipelineMetrics } from './pipeline-metrics.js';
import { createSharingMetrics, type SharingMetrics } from './sharing-metrics.js';
import { createStreamMetrics } from './stream-metrics.js';
import { createTrainingMetrics, type TrainingMetrics } from './training-metrics.js';

/** Everything Prometheus can scrape, and the observers that feed it. Each instance has a registry of its own. */
export interface Metrics extends EngineMetrics {
  readonly observer: PipelineObserver;
  readonly busObserver: BusObserver;
  /** Of a training run; its gauges are there from the first time it is asked for, so that nothing else shows them. */
  readonly training: TrainingMetrics;
  /** Of work that several machines share. */
  readonly sharing: SharingMetrics;
  /** What /metrics answers. */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Version of Stromaflow. */
  readonly version: string;
  /** What runs the model now, asked at every scrape; EngineInfo fits. */
  readonly engine?: () => Pick<EngineInfo, 'name' | 'device' | 'model' | 'modelVersion' | 'batch'> | undefined;
  /** Asked at every scrape. */
  readonly connected?: () => boolean;
  /** How full the streams of the bus are; undefined where it keeps nothing. Asked at every scrape. */
  readonly streams?: () => Promise<readonly StreamFill[]> | undefined;
  /** Of a folder that is watched: whether it is there. Asked at every scrape. */
  readonly folderUp?: () => boolean;
}

/** Gauges that end in `_total`, which Prometheus keeps for counters; their labelled namesakes stay. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Names, units and meaning: docs/operations.md. Labels are closed sets: never a slide, a patch or a path. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  describeBuild(registry, options);
  if (options.connected) reportConnection(registry, options.connected);
  if (options.folderUp) reportFolder(registry, options.folderUp);
  if (options.streams) createStreamMetrics(registry, options.streams);
  let training: TrainingMetrics | undefined;
  return {
    get training() {
      training ??= createTrainingMetrics(registry);
      return training;
    },
    sharing: createSharingMetrics(registry),
    ...createEngineMetrics(registry, options.engine),
    observer: createPipelineMetrics(registry),
    busObserver: createBusMetrics(registry),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function describeBuild(registry: Registry, { version, engine }: MetricsOptions): void {
  new Gauge({
    name: 'stromaflow_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'engine', 'device', 'model', 'model_version'],
    registers: [registry],
    collect() {
      const { name = '', device = '', model = '', modelVersion = '' } = engine?.() ?? {};
      this.reset();
      this.set({ version, engine: name, device, model, model_version: modelVersion }, 1);
    },
  });
}

function reportConnection(registry: Registry, connected: () => boolean): void {
  new Gauge({
    name: 'stromaflow_bus_connected',
    help: '1 while the event bus is connected, else 0.',
    registers: [registry],
    collect() {
      this.set(connected() ? 1 : 0);
    },
  });
}

function reportFolder(registry: Registry, isThere: () => boolean): void {
  new Gauge({
    name: 'stromaflow_watched_folder_up',
    help: '1 while the watched folder is there, 0 while it, or a share mounted below it, is away.',
    registers: [registry],
    collect() {
      this.set(isThere() ? 1 : 0);
    },
  });
}
