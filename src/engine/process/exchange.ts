import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StromaflowError } from '../../errors.js';

/** Where a batch's parts lie in the exchange, in bytes: pixels from 0, then masks, then probabilities. */
export interface ExchangeLayout {
  readonly masksAt: number;
  readonly probabilitiesAt: number;
  readonly bytes: number;
}

/** Room for `batch` patches of patchSize² pixels: 3 bytes of RGB, a byte of mask, a byte of probability each. */
export function exchangeLayout({ batch, patchSize }: { readonly batch: number; readonly patchSize: number }) {
  const pixels = batch * patchSize * patchSize;
  return { masksAt: 3 * pixels, probabilitiesAt: 4 * pixels, bytes: 5 * pixels } satisfies ExchangeLayout;
}

/** Linux keeps what lies here in memory; elsewhere the page cache of the temporary folder does nearly as well. */
const SHARED_MEMORY = '/dev/shm';

/**
 * A file without a name, which the engine's process inherits as a descriptor: it is gone when both sides are, however
 * they end. All of it is written once, so that a full disk is found out now and not in the middle of a slide.
 *
 * @returns its descriptor
 * @throws ENGINE_UNAVAILABLE where there is no room
 */
export async function openExchange({ bytes }: ExchangeLayout): Promise<number> {
  const failures: unknown[] = [];
  for (const folder of [SHARED_MEMORY, tmpdir()]) {
    try {
      return await reserve(folder, bytes);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new StromaflowError(
    'ENGINE_UNAVAILABLE',
    `no room for ${Math.ceil(bytes / 2 ** 20)} MiB shared with the engine's process`,
    {
      cause: new AggregateError(failures),
      fix: 'free space in /dev/shm or the temporary folder, lower --batch, or use --isolation thread',
    },
  );
}

async function reserve(folder: string, bytes: number): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  // Filling shared memory to the brim would starve the whole machine.
  if (bytes > (bavail * bsize) / 2) throw new RangeError(`${folder} has ${bavail * bsize} bytes`);
  const path = join(folder, `stromaflow-${process.pid}-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    const zeros = new Uint8Array(1 << 20);
    for (let at = 0; at < bytes; at += zeros.length) writeAt(fd, zeros.subarray(0, bytes - at), at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function writeAt(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** @throws when the file ends before `into` is full. */
export function readAt(fd: number, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(fd, into, done, into.length - done, at + done);
    if (count === 0) throw new RangeError(`the exchange ends at ${at + done}`);
    done += count;
  }
}
