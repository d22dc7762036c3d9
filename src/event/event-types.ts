import type { DlqStage, SlideState } from './subjects.js';

/** `ce-type` of the events of the contract. */
export const EVENT_TYPES = {
  slide: (state: SlideState) => `stromaflow.slide.${state}.v1`,
  mask: 'stromaflow.mask.v1',
  aggregate: 'stromaflow.aggregate.v1',
  dlq: (stage: DlqStage) => `stromaflow.dlq.${stage}.v1`,
} as const;
