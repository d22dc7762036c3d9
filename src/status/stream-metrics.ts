import { Gauge, type Registry } from 'prom-client';
import type { StreamFill } from '../event/stream/kept-events.js';
import { askedOnce } from './asked.js';

/** How full the streams are that events are published to; `fill` is asked at every scrape, undefined where none are kept. */
export function createStreamMetrics(registry: Registry, fill: () => Promise<readonly StreamFill[]> | undefined): void {
  const answer = askedOnce(async () => fill());
  const gauge = (name: string, help: string, of: (stream: StreamFill) => number | undefined) =>
    new Gauge({
      name: `stromaflow_stream_${name}`,
      help,
      labelNames: ['stream'],
      registers: [registry],
      async collect() {
        this.reset();
        for (const stream of (await answer()) ?? []) {
          const value = of(stream);
          if (value !== undefined) this.set({ stream: stream.kind }, value);
        }
      },
    });
  gauge(
    'messages',
    'Messages in a stream; of tasks and outcomes: those not settled yet. Absent while the server is away.',
    ({ messages }) => messages,
  );
  gauge('bytes', 'What a stream holds, headers included.', ({ bytes }) => bytes);
  gauge('limit_bytes', 'Most that a stream may hold; absent where the server decides.', ({ limitBytes }) => limitBytes);
}
