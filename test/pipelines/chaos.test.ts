import { expect, it } from 'vitest';
import { SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';

interface ChaosOptions {
  readonly slide: string;
  readonly seeds: number;
  readonly first?: number;
  readonly order?: readonly string[];
  readonly hosts?: boolean;
  readonly small?: boolean;
  readonly onProgress?: (seed: { readonly seed: number; readonly of: unknown }) => void;
}
interface Chaos {
  readonly seeds: number;
  readonly troubles: number;
  readonly lost: number;
  readonly doubled: number;
}

const bench = <T>(name: string): Promise<T> => import(new URL(`../bench/${name}.mjs`, import.meta.url).href);

const { whyNoHosts } = await bench<{ whyNoHosts(): string | undefined }>('hosts');
const { benchChaos } = await bench<{ benchChaos(options: ChaosOptions): Promise<Chaos> }>('chaos');

/** Runs it; what a seed lost or doubled stands in the failure. */
async function chaos(options: Omit<ChaosOptions, 'slide'>): Promise<Chaos> {
  const seen: unknown[] = [];
  const result = await benchChaos({ slide: SLIDE, ...options, onProgress: one => void seen.push(one) });
  expect({ lost: result.lost, doubled: result.doubled, seen }).toEqual({ lost: 0, doubled: 0, seen });
  return result;
}

// npm run bench -- chaos has 20 seeds of five troubles each, any of them.
it.each([
  [['the server loses its store', 'a worker sleeps', 'ingest is killed']],
  ...(THOROUGH
    ? [
        [['a worker is killed', 'the stream is full', 'the server is killed', 'the network is away']],
        [['ingest sleeps', 'a worker is told to end', 'the stream is full', 'ingest is killed']],
      ]
    : []),
])('every patch has exactly one mask when %j', async order => {
  const { troubles } = await chaos({ seeds: 1, order, small: true });
  expect(troubles).toBeGreaterThan(1);
});

const none = whyNoHosts();
if (none !== undefined) process.stderr.write(`SKIPPED: the test on hosts of their own: ${none}\n`);

it.skipIf(none !== undefined)(
  'every patch has exactly one mask on hosts of their own, whose cables are pulled',
  async () => {
    const order = ['the network is away', 'the network is away'];
    const { troubles } = await chaos({ hosts: true, small: true, seeds: 1, order });
    expect(troubles).toBe(2);
  },
);
