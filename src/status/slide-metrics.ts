import { Counter, Gauge, type Registry } from 'prom-client';
import type { StromaEvent } from '../event/decode.js';
import type { Aggregate, TileCounts } from '../event/payloads.js';
import type { SlideState } from '../event/subjects.js';

const TILE_STATES = ['expected', 'seen', 'drawn', 'missing', 'late', 'overwritten'] as const;

/** Slides, tiles, areas and agreement, from the events that say so: no other part of the graph has to report them. */
export function createSlideMetrics(registry: Registry, states: readonly SlideState[]): (event: StromaEvent) => void {
  const registers = [registry];
  const changes = new Counter({
    name: 'stromaflow_slides_total',
    help: 'Slides that entered a state.',
    labelNames: ['state'],
    registers,
  });
  const open = new Gauge({ name: 'stromaflow_slides_open', help: 'Slides being worked on.', registers });
  const backlog = new Gauge({
    name: 'stromaflow_backlog_patches',
    help: 'Patches of open slides without an outcome, by their newest aggregates.',
    registers,
  });
  const stroma = new Counter({
    name: 'stromaflow_stroma_mm2_total',
    help: 'Tumour-associated stroma in published masks, square millimetres.',
    registers,
  });
  const tissue = new Counter({
    name: 'stromaflow_tissue_mm2_total',
    help: 'Tissue in patches with a published mask, square millimetres.',
    registers,
  });
  const iou = new Gauge({
    name: 'stromaflow_iou_ratio',
    help: 'Intersection over union with the labels, of the newest aggregate that has any.',
    registers,
  });
  const seams = new Gauge({
    name: 'stromaflow_seam_score_ratio',
    help: 'Agreement of mask pixels across patch borders to that inside patches, of the slide completed last; 1 is no seam.',
    registers,
  });
  const growing = new Gauge({
    name: 'stromaflow_growing_tiles',
    help: 'Tiles of the levels that are read of open slides, by their newest aggregates.',
    labelNames: ['state'],
    registers,
  });
  const tiles = new Counter({
    name: 'stromaflow_tiles_total',
    help: 'Tiles of the levels that were read of completed slides.',
    labelNames: ['state'],
    registers,
  });
  for (const state of TILE_STATES) {
    growing.set({ state }, 0);
    tiles.inc({ state }, 0);
  }
  // Progress is no state of its own; it would count every report.
  const counted = states.filter(state => state !== 'progress');
  for (const state of counted) changes.inc({ state }, 0);

  const waiting = new Map<string, number>();
  const tilesOf = new Map<string, TileCounts>();
  const refresh = (): void => {
    for (const state of TILE_STATES)
      growing.set(
        { state },
        [...tilesOf.values()].reduce((sum, counts) => sum + (counts[state] ?? 0), 0),
      );
    open.set(waiting.size);
    backlog.set([...waiting.values()].reduce((sum, patches) => sum + patches, 0));
  };

  return event => {
    if (event.kind === 'mask') {
      const pixelMm2 = (event.mpp / 1000) ** 2;
      stroma.inc(event.stromapixels * pixelMm2);
      tissue.inc(event.tissuepixels * pixelMm2);
    } else if (event.kind === 'aggregate') {
      const { aggregate } = event;
      if (waiting.has(aggregate.slide)) waiting.set(aggregate.slide, undone(aggregate));
      if (aggregate.tiles && waiting.has(aggregate.slide)) tilesOf.set(aggregate.slide, aggregate.tiles);
      if (aggregate.iou?.value != null) iou.set(aggregate.iou.value);
      refresh();
    } else if (event.kind === 'slide' && event.state !== 'progress') {
      changes.inc({ state: event.state });
      if (event.state === 'completed' && event.payload.seamScore !== undefined) seams.set(event.payload.seamScore);
      const { slide } = event.payload;
      const counts = tilesOf.get(slide);
      if (event.state === 'completed' && counts)
        for (const state of TILE_STATES) tiles.inc({ state }, counts[state] ?? 0);
      tilesOf.delete(slide);
      if (event.state === 'opened') waiting.set(slide, event.payload.grid.cols * event.payload.grid.rows);
      else waiting.delete(slide);
      refresh();
    }
  };
}

const undone = ({ patches }: Aggregate): number =>
  patches.expected - patches.segmented - patches.empty - patches.missing - patches.failed;
