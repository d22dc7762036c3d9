import { StromaflowError } from '../../errors.js';
import { openSharedFile } from '../../process/shared-file.js';

/** Where a batch's parts lie in the exchange, in bytes: pixels from 0, then masks, then probabilities, then scores. */
export interface ExchangeLayout {
  readonly masksAt: number;
  readonly probabilitiesAt: number;
  readonly scoresAt: number;
  readonly bytes: number;
}

interface Exchanged {
  readonly batch: number;
  readonly patchSize: number;
  readonly scores?: boolean;
}

/** Room for `batch` patches of patchSize² pixels: 3 bytes of RGB, a byte of mask, a byte of probability and, if asked for, 4 of score each. */
export function exchangeLayout({ batch, patchSize, scores = false }: Exchanged) {
  const pixels = batch * patchSize * patchSize;
  return {
    masksAt: 3 * pixels,
    probabilitiesAt: 4 * pixels,
    scoresAt: 5 * pixels,
    bytes: (scores ? 9 : 5) * pixels,
  } satisfies ExchangeLayout;
}

/**
 * What both sides share: see openSharedFile.
 *
 * @returns its descriptor
 * @throws ENGINE_UNAVAILABLE where there is no room
 */
export async function openExchange({ bytes }: ExchangeLayout): Promise<number> {
  try {
    return await openSharedFile(bytes);
  } catch (cause) {
    throw new StromaflowError(
      'ENGINE_UNAVAILABLE',
      `no room for ${Math.ceil(bytes / 2 ** 20)} MiB shared with the engine's process`,
      {
        cause,
        fix: 'free space in /dev/shm or the temporary folder, lower --batch, or use --isolation thread',
      },
    );
  }
}
