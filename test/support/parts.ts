import { openParts, type Parts } from '#pipelines/parts.js';
import { loadConfig } from '#src/config/load.js';
import type { Config } from '#src/config/options.js';
import type { Segmenter } from '#src/engine/segmenter.js';
import type { BusEvent } from '#src/event/bus.js';

/**
 * Parts with the null engine and no margin, whose patches tile the committed slide 5 × 6, and defaults otherwise, untouched by the
 * environment.
 */
export async function partsWith(
  options: Partial<Config> & { out: string },
  given: Parameters<typeof openParts>[1] = {},
): Promise<Parts> {
  const { config } = await loadConfig({}, {});
  return openParts({ ...config, engine: 'null', margin: 0, ...options }, given);
}

/** The same parts, whose model is run by another segmenter. */
export function withSegmenter(parts: Parts, segment: Segmenter['segment']): Parts {
  const { current } = parts.models;
  const { info } = current.segmenter;
  const model = { ...current, segmenter: { info, segment, close: () => current.segmenter.close() } };
  const models = {
    current: model,
    take: () => model,
    adopt: () => model,
    release: () => undefined,
    reload: async () => undefined,
  };
  return { ...parts, models };
}

/** The same parts, with every published event kept in order. */
export function recording(parts: Parts): { parts: Parts; events: BusEvent[] } {
  const events: BusEvent[] = [];
  const { bus } = parts;
  const recorded = {
    description: bus.description,
    get connected() {
      return bus.connected;
    },
    publish: async (event: BusEvent, signal?: AbortSignal) => {
      await bus.publish(event, signal);
      events.push(event);
    },
    subscribe: (pattern: string, signal: AbortSignal) => bus.subscribe(pattern, signal),
    close: () => bus.close(),
  };
  return { parts: { ...parts, bus: recorded }, events };
}
