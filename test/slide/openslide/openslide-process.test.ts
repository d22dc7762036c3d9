import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ChildLost } from '#src/process/ask-child.js';
import { LIMITS, OpenSlideProcess } from '#src/slide/openslide/openslide-process.js';
import { type OpenSlideDescription, OpenSlideSource } from '#src/slide/openslide/openslide-source.js';
import type { LevelRegion } from '#src/slide/openslide/protocol.js';
import { childrenOf, eventually, isAlive } from '../../support/processes.js';
import { failureOf, SLIDE, scratch } from '../fixture.js';
import { installed, orWhy } from './installed.js';

const files = scratch();
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => files.remove());

const levels = [{ number: 0, width: 2220, height: 2967, downsample: 1, mpp: 0.5, tileWidth: 240, tileHeight: 240 }];
const description: OpenSlideDescription = { kind: 'openslide', path: SLIDE, levels };

const into = new Uint8Array(240 * 240 * 3);
const whole: LevelRegion = { level: 0, x: 0, y: 0, width: 240, height: 240, stride: 720 };

async function open(limits = LIMITS): Promise<OpenSlideSource> {
  const source = await OpenSlideSource.open(description, limits);
  opened.push(source);
  return source;
}

async function openProcess(bytes = into.length): Promise<OpenSlideProcess> {
  const answer = await OpenSlideProcess.open(SLIDE, { bytes });
  if (!('process' in answer)) throw new Error(answer.why);
  opened.push(answer.process);
  return answer.process;
}

/** Stops a source's process in its tracks, starts a read, and ends the process while that waits. */
async function dieAt(source: OpenSlideSource, col: number): Promise<number> {
  const pid = source.pid!;
  process.kill(pid, 'SIGSTOP');
  into.fill(7);
  const reading = source.readTile(0, col, 0, into);
  // Other signals would wait until it goes on, and it might answer before it dies.
  process.kill(pid, 'SIGKILL');
  expect(await reading).toBe('decoded');
  return pid;
}

/** Kills every child that this process starts, until it is told to stop. */
function killer(signal: NodeJS.Signals): { stop(): Promise<number> } {
  const killed = new Set<number>();
  let on = true;
  const done = (async () => {
    while (on) {
      for (const pid of childrenOf(process.pid).filter(child => !killed.has(child) && isOurs(child))) {
        killed.add(pid);
        process.kill(pid, signal);
      }
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    return killed.size;
  })();
  return {
    stop: () => {
      on = false;
      return done;
    },
  };
}

const isOurs = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('openslide.child.js');
  } catch {
    return false;
  }
};

const mapsOf = (pid: number): string => readFileSync(`/proc/${pid}/maps`, 'utf8');

const test = it.skipIf(installed === undefined);

describe('the process that holds a slide', () => {
  test(`is the only one that has the library, and none of the passwords${orWhy}`, async () => {
    process.env['STROMAFLOW_NATS'] = 'nats://user:secret@127.0.0.1';
    const held = await openProcess();
    delete process.env['STROMAFLOW_NATS'];
    expect(await held.read(whole, into)).toBe('decoded');
    expect(mapsOf(held.pid!)).toMatch(/libopenslide/);
    expect(mapsOf(process.pid)).not.toMatch(/libopenslide/);
    expect(readFileSync(`/proc/${held.pid}/environ`, 'utf8')).not.toContain('secret');
  });

  test(`goes before others when memory is short, and cannot take all of it${orWhy}`, async () => {
    const { pid } = await openProcess();
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max data size\s+4294967296\s+4294967296/);
  });

  test(`leaves nothing behind when it is closed${orWhy}`, async () => {
    const shared = () =>
      readdirSync('/proc/self/fd').filter(fd => {
        try {
          return /\/stromaflow-.* \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
        } catch {
          return false;
        }
      });
    const held = await openProcess();
    expect(shared()).toHaveLength(1);
    await held.close();
    await held.close();
    expect(shared()).toEqual([]);
    expect(isAlive(held.pid!)).toBe(false);
  });

  test(`goes on when the terminal interrupts${orWhy}`, async () => {
    const held = await openProcess();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(held.pid!, signal);
    expect(await held.read(whole, into)).toBe('decoded');
  });

  test(`ends with its parent, also when that is killed${orWhy}`, async () => {
    const script = fileURLToPath(new URL('hold-slide.mjs', import.meta.url));
    const parent = spawn(process.execPath, [script, SLIDE], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = await new Promise<string[]>(resolve => parent.stdout.once('data', data => resolve([String(data)])));
    const pid = Number(text);
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually(() => !isAlive(pid));
  });

  test(`ends with a parent that forgets to close it${orWhy}`, async () => {
    const script = fileURLToPath(new URL('hold-slide.mjs', import.meta.url));
    const parent = spawn(process.execPath, [script, SLIDE, 'forget'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = await new Promise<string[]>(resolve => parent.stdout.once('data', data => resolve([String(data)])));
    await eventually(() => parent.exitCode === 0);
    await eventually(() => !isAlive(Number(text)));
  });

  test(`tells what it said last when it dies${orWhy}`, async () => {
    const held = await openProcess();
    process.kill(held.pid!, 'SIGSEGV');
    await eventually(() => !isAlive(held.pid!));
    const error: unknown = await held.read(whole, into).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ChildLost);
    expect((error as Error).message).toMatch(/^crashed \(SIGSEGV\)/);
  });

  it('says why there is no room for pixels that no disk holds', async () => {
    const error = await failureOf(() => OpenSlideProcess.open(SLIDE, { bytes: 2 ** 52 }));
    expect(error.code).toBe('SLIDE_UNREADABLE');
    expect(error.message).toMatch(/^no room for \d+ MiB/);
  });
});

describe('a source whose process dies', () => {
  test(`reads on in another, to the same pixels${orWhy}`, async () => {
    const source = await open();
    await source.readTile(0, 3, 0, into);
    const wanted = into.slice();
    const first = await dieAt(source, 3);
    expect(Buffer.compare(into, wanted)).toBe(0);
    const second = await dieAt(source, 3);
    expect(Buffer.compare(into, wanted)).toBe(0);
    expect(new Set([first, second, source.pid]).size).toBe(3);
    expect(isAlive(first)).toBe(false);
  });

  test(`does so when it died between two reads${orWhy}`, async () => {
    const source = await open();
    const pid = source.pid!;
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isAlive(pid));
    expect(await source.readTile(0, 0, 0, into)).toBe('decoded');
  });

  test(`fails the tile that cost two processes, then reads the next${orWhy}`, async () => {
    const source = await open();
    const killing = killer('SIGSEGV');
    await eventually(() => !isAlive(source.pid!));
    const error = await failureOf(() => source.readTile(0, 4, 2, into));
    expect(await killing.stop()).toBe(2);
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toMatch(/OpenSlide crashed \(SIGSEGV\).* at tile \(4, 2\) of level 0/);
    expect(await source.readTile(0, 5, 2, into)).toBe('decoded');
  });

  test(`gives the slide up at the third such tile, and starts no more${orWhy}`, async () => {
    const source = await open();
    const killing = killer('SIGKILL');
    const codes: string[] = [];
    for (let col = 0; col < 5; col++) codes.push((await failureOf(() => source.readTile(0, col, 0, into))).code);
    expect(codes).toEqual(['TILE_CORRUPT', 'TILE_CORRUPT', 'OPENSLIDE_FAILED', 'OPENSLIDE_FAILED', 'OPENSLIDE_FAILED']);
    expect(await killing.stop()).toBe(6);
    const error = await failureOf(() => source.readTile(0, 7, 0, into));
    expect(error.message).toContain('was killed, most likely because the machine ran out of memory');
    expect(childrenOf(process.pid).filter(isOurs)).toEqual([]);
  });

  test(`that hangs fails its tile when the time is up, and is replaced${orWhy}`, async () => {
    const source = await open({ ...LIMITS, read: 3 });
    const pid = source.pid!;
    process.kill(pid, 'SIGSTOP');
    const error = await failureOf(() => source.readTile(0, 0, 0, into));
    expect(error).toMatchObject({
      code: 'TILE_CORRUPT',
      message: expect.stringContaining('did not answer within 3 s'),
    });
    expect(isAlive(pid)).toBe(false);
    expect(await source.readTile(0, 0, 0, into)).toBe('decoded');
  });

  test(`before the slide is open cannot be opened${orWhy}`, async () => {
    const killing = killer('SIGABRT');
    const error = await failureOf(() => OpenSlideSource.open(description));
    await killing.stop();
    expect(error.code).toBe('OPENSLIDE_FAILED');
    expect(error.message).toMatch(/OpenSlide crashed \(SIGABRT\).* when it opened the slide/);
  });

  test(`and whose file is gone says so${orWhy}`, async () => {
    const path = files.write('gone.svs', readFileSync(SLIDE));
    const source = await OpenSlideSource.open({ ...description, path });
    opened.push(source);
    process.kill(source.pid!, 'SIGKILL');
    files.remove();
    expect(existsSync(path)).toBe(false);
    expect((await failureOf(() => source.readTile(0, 0, 0, into))).code).toBe('SLIDE_UNREADABLE');
  });
});
