import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Linux keeps what lies here in memory; elsewhere the page cache of the temporary folder does nearly as well. */
const SHARED_MEMORY = '/dev/shm';

/**
 * A file without a name, which a child inherits as a descriptor: it is gone when both sides are, however they end. All of it is
 * written once, so that a full disk is found out now and not in the middle of the work.
 *
 * @returns its descriptor
 * @throws AggregateError where there is no room: why, for each folder that was tried
 */
export async function openSharedFile(bytes: number): Promise<number> {
  const failures: unknown[] = [];
  for (const folder of [SHARED_MEMORY, tmpdir()]) {
    try {
      return await reserve(folder, bytes);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `no room for ${Math.ceil(bytes / 2 ** 20)} MiB`);
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
