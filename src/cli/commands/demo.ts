import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { take } from 'rxjs';
import { segmentLive, watchedFolder } from '../../../pipelines/live.js';
import type { Parts } from '../../../pipelines/parts.js';
import { simulateScan } from '../../simulate/simulate-scan.js';
import { type Command, GRAPH, WATCHING } from '../command.js';
import { DemoStory } from '../demo-story.js';
import { findProgram, startNatsServer } from '../nats-server.js';
import { shorten } from '../results.js';
import { runGraph } from '../run-graph.js';
import { narrow } from '../terminal.js';

/** CC0, from OpenSlide's test data. */
export const DEMO_SLIDE = fileURLToPath(new URL('../../../../test/fixtures/CMU-1-Small-Region.svs', import.meta.url));

/** Tiles a second: the slide's 130 take some ten seconds, about as long as a laptop takes to segment them. */
const SCAN_RATE = 12;

/** Of the narrowest terminal that people still have. */
const COLUMNS = 80;

/** Its folder is another one each time, and its slide the same. */
const DEMO_PLACE = '/demo';

export const demo: Command = {
  usage: 'demo',
  summary: 'let a simulated scanner write a real slide into an empty folder, and segment it while it grows',
  notes: `Needs nothing else: the slide and the starter model are in the package. With nats-server on the PATH it starts one
on a free port and publishes to it; without it the events stay in this process. --events prints each event as a subscriber gets it.`,
  options: ['events', ...GRAPH, ...WATCHING],
  async run(context) {
    const { config } = context;
    const terminal = narrow(context.terminal, COLUMNS);
    const story = new DemoStory(terminal);
    story.open();
    const folder = await mkdtemp(join(tmpdir(), 'stromaflow-demo-'));
    const program = config.nats === undefined ? findProgram('nats-server') : undefined;
    const server = program ? await startNatsServer(program) : undefined;
    const nats = config.nats ?? server?.url;
    if (server) terminal.line('events     a nats-server is started for them, and stopped with the demo');
    else if (nats === undefined) terminal.line('events     in this process only: nats-server is not on the PATH');
    const watched = watchedFolder(folder, config);
    try {
      const status = await runGraph(
        {
          ...context,
          terminal,
          config: { ...config, nats, ...(server && { publish: 'core' }), port: config.port ?? 0, fresh: true },
        },
        (parts: Parts, signal: AbortSignal) => {
          story.begin(folder, parts.models.current.model);
          void story.follow(parts, signal);
          void scan(folder, story, signal);
          return segmentLive(watched, parts, signal, { place: DEMO_PLACE }).pipe(take(1));
        },
        { folder: watched, printEvents: config.events, note: () => story.status, again: 'stromaflow demo starts over' },
      );
      if (status === 0) story.close(shorten(join(config.out, basename(DEMO_SLIDE, '.svs'), 'overview.png')));
      return status;
    } finally {
      await server?.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Its slide grows under its own name, row by row of tiles. A scan that cannot be written ends the demo by its missing tiles. */
async function scan(folder: string, story: DemoStory, signal: AbortSignal): Promise<void> {
  try {
    await simulateScan(DEMO_SLIDE, folder, {
      as: 'growing-tiff',
      order: 'rows',
      rate: SCAN_RATE,
      signal,
      onTile: () => story.tile(signal),
    });
    story.scanned();
  } catch (error) {
    if (!signal.aborted) story.scanFailed(error);
  }
}
