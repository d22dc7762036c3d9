import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { interruptible } from '#src/cli/interrupt.js';
import { mulberry } from '../mask/naive.js';
import { scratch } from '../slide/fixture.js';
import { plain, writeTiff } from '../slide/tiff-writer.js';
import { type RunningCli, startCli } from '../support/cli.js';

const CHILD = fileURLToPath(new URL('interrupt-child.mjs', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Sends the signals to a program with a thread in native code, each when the line before it has come. */
async function signalled(args: readonly string[], ...signals: readonly (readonly [after: string, NodeJS.Signals])[]) {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const waiting = [...signals];
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    while (waiting[0] && text.includes(`${waiting[0][0]}\n`)) child.kill(waiting.shift()![1]);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, lines: text.trimEnd().split('\n') };
}

describe.each(SIGNALS)('%s', name => {
  const other = name === 'SIGINT' ? 'SIGTERM' : 'SIGINT';

  it('aborts at first, and ends the process when it comes again, whichever it was, though a thread is in native code', async () => {
    // Told before anything ends, so that the line stands above what that prints.
    const lines = ['ready', `heard ${name}, aborted false`, 'aborted', 'let go'];
    expect(await signalled(['command'], ['ready', name], ['aborted', other])).toEqual({
      ...{ code: 130, signal: null, lines },
    });
  });

  it('ends the process as a shell counts it where the library is not installed', async () => {
    const { code, signal } = await signalled(['command', '', '--no-koffi'], ['ready', name], ['aborted', other]);
    expect([code, signal]).toEqual([null, 'SIGINT']);
  });

  it.each([
    ['', 130],
    ['0', 0],
    ['1', 1],
  ])('outside of a command that ends with "%s" gives %i, though a thread is in native code', async (status, code) => {
    expect(await signalled(['outside', status], ['ready', name])).toEqual({
      ...{ code, signal: null, lines: ['ready', 'let go'] },
    });
  });

  it('is somebody else’s again when the command is over', () => {
    // The test runner's own among them, which do not hear of it.
    const before = process.listeners(name);
    const heard: string[] = [];
    const { signal, dispose } = interruptible(which => heard.push(which));
    expect(process.listeners(name)).toHaveLength(before.length + 1);
    dispose();
    expect(process.listeners(name)).toEqual(before);
    expect([signal.aborted, heard]).toEqual([false, []]);
  });
});

describe('in a progressive tile, which a native codec takes long for', async () => {
  const files = scratch();
  afterAll(() => files.remove());
  const SIDE = 3072;
  const random = mulberry(1);
  const noise = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => random() * 256);
  const tile = await sharp(noise, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    // Of the finest quality it takes nearly twice as long.
    .jpeg({ progressive: true, quality: 100, chromaSubsampling: '4:4:4' })
    .toBuffer();
  const picture = plain(2 * SIDE, SIDE, [180, 120, 160]);
  const page = { picture, tile: [SIDE, SIDE], compression: 'jpeg', resolution: 20_000, damage: () => tile } as const;
  const path = files.write('progressive.tif', writeTiff([page]));

  /**
   * Status of a command that is interrupted when this holds, and a second time as soon as it says so. One that is over by then,
   * as on a busy machine, says nothing of the second: it is tried again.
   */
  const statusOf = async (name: string, holds: (cli: RunningCli, out: string) => boolean): Promise<number> => {
    for (let attempt = 1; ; attempt++) {
      const out = files.path(`${name}-${attempt}`);
      const cli = startCli(['segment', path, '--out', out, '--engine', 'null', '--fresh']);
      while (!holds(cli, out)) await sleep(1);
      cli.process.kill('SIGINT');
      await cli.printed('interrupted: ');
      cli.process.kill('SIGINT');
      const { status, stdout } = await cli.finished;
      if (!stdout.includes('interrupted after')) return status;
    }
  };

  const isOpen = ({ process: { pid } }: RunningCli): boolean =>
    readdirSync(`/proc/${pid}/fd`).some(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
      } catch {
        // It was closed meanwhile.
        return false;
      }
    });

  it('a second Ctrl-C gives 130 while it is tried', async () => {
    expect(await statusOf('tried', isOpen)).toBe(130);
  });

  it('a second Ctrl-C gives 130 while it is read', async () => {
    // The slide's folder is made when it was tried, and its patches are next.
    expect(await statusOf('read', (_, out) => existsSync(join(out, 'progressive')))).toBe(130);
  });
});
