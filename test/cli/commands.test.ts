import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { connect } from '#src/event/client.js';
import { runCli, startCli } from '../support/cli.js';
import { startNatsServer } from '../support/nats-server.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const STARTER = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));

/** One line on stderr: what, a code, what to do. */
const oneLine = (code: string) => new RegExp(`^stromaflow: [^\\n]+ \\[${code}\\] [^\\n]+\\n$`);

describe('stromaflow', () => {
  it('runs the demo: masks come while the slide grows, its events from a real server, its pictures are there', async () => {
    const out = await emptyFolder();
    const { status, stdout, stderr } = await runCli(['demo', '--out', out, '--events', '--engine', 'null']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^events {5}nats:\/\/127\.0\.0\.1:\d+ \(server /m);
    const folder = join(out, 'CMU-1-Small-Region');
    const summary = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
    const kinds = stdout.split('\n').map(line => line.split(' ')[0]);
    expect(kinds.filter(kind => kind === 'mask')).toHaveLength(summary.patches.segmented);
    expect(kinds).toContain('opened');
    expect(kinds).toContain('completed');
    expect(stdout).toContain('overview.png');
    expect(stdout).toMatch(/^status {5}http:\/\/127\.0\.0\.1:\d+ /m);
    const scanned = /^live {7}the first mask is out, with (\d+) of 130 tiles scanned$/m.exec(stdout);
    expect(Number(scanned?.[1])).toBeLessThan(130);
    expect(stdout).toMatch(/^scanner {4}done: [1-9]\d* masks? came while it wrote/m);
    expect(stdout).toMatch(/^model {6}a starter trained on few images of lung and colon/m);
    expect(stdout).toMatch(/^viewer {5}http:\/\/127\.0\.0\.1:\d+\/view\/ /m);
    expect(stdout).toMatch(/^look at\s+\S+overview\.png$/m);
    // All of it fits a narrow terminal, but for names without a space.
    const lines = stdout.replaceAll(tmpdir(), '/tmp').split('\n');
    expect(lines.filter(line => line.length > 80 && /\S\s+\S/.test(line))).toEqual([]);
    const picture = await sharp(join(folder, 'overview.png')).metadata();
    expect(picture.width).toBeGreaterThan(500);
  });

  it('refuses a margin that leaves nothing of a patch before it waits for slides', async () => {
    for (const margin of ['256', '1024']) {
      const folder = await emptyFolder();
      const { status, stderr } = await runCli([
        'watch',
        folder,
        '--out',
        join(folder, 'out'),
        '--engine',
        'null',
        '--port',
        '0',
        '--margin',
        margin,
      ]);
      expect(status).toBe(2);
      expect(stderr).toMatch(oneLine('CONFIG_INVALID'));
      expect(stderr).toMatch(new RegExp(`margin ${margin}: leaves -?\\d+ of 512 pixels`));
    }
  });

  it('says so when the demo has no nats-server, and works all the same', async () => {
    const out = await emptyFolder();
    const bare = await emptyFolder();
    const { status, stdout } = await runCli(['demo', '--out', out, '--engine', 'null'], {
      PATH: bare,
    });
    // Debian keeps servers in /usr/sbin, where the demo looks too: there it still finds one.
    expect(stdout).toMatch(/^events {5}(in this process only: nats-server is not on the PATH|nats:)/m);
    expect(status).toBe(0);
  });

  it('prints JSON lines only under --json, the last one what summary.json says', async () => {
    const out = await emptyFolder();
    const { status, stdout } = await runCli(['segment', SLIDE, '--engine', 'null', '--out', out, '--json']);
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    const summary = JSON.parse(await readFile(join(out, 'CMU-1-Small-Region', 'summary.json'), 'utf8'));
    expect(lines.at(-1)).toEqual(summary);
    const again = await runCli(['segment', SLIDE, '--engine', 'null', '--out', out, '--json']);
    expect(JSON.parse(again.stdout.trim().split('\n').at(-1)!)).toEqual(summary);
  });

  it('drains on Ctrl-C, exits 130, goes on where it stopped, and NATS sees each mask once', async () => {
    const nats = await startNatsServer();
    const client = await connect({ url: nats.url });
    const stop = new AbortController();
    const ids: string[] = [];
    const listening = (async () => {
      for await (const mask of client.masks({ signal: stop.signal })) ids.push(`${mask.col},${mask.row}`);
    })();
    await client.ready();
    try {
      const args = ['segment', SLIDE, '--out', await emptyFolder(), '--nats', nats.url, '--batch', '1', '--json'];
      const first = startCli(args);
      while (ids.length < 3) await new Promise(resolve => setTimeout(resolve, 20));
      first.process.kill('SIGINT');
      const interrupted = await first.finished;
      expect(interrupted.status).toBe(130);
      expect(interrupted.stdout).toContain('"state":"interrupted"');
      const before = ids.length;
      const second = await startCli(args).finished;
      expect(second.status).toBe(0);
      const { patches } = JSON.parse(second.stdout.trim().split('\n').at(-1)!);
      expect(before).toBeLessThan(patches.segmented);
      expect(ids).toHaveLength(patches.segmented);
      expect(new Set(ids).size).toBe(patches.segmented);
    } finally {
      stop.abort();
      await listening;
      await client.close();
      await nats.stop();
    }
  });

  it('ends within seconds of Ctrl-C when NATS has gone away', async () => {
    const nats = await startNatsServer();
    const args = ['segment', SLIDE, '--out', await emptyFolder(), '--nats', nats.url, '--batch', '1', '--verbose'];
    const running = startCli([...args, '--port', '0']);
    await running.printed(/engine {5}/);
    await nats.kill();
    running.process.kill('SIGINT');
    expect((await running.finished).status).toBe(130);
    await nats.stop();
  });

  it('serves status, health and metrics while it watches, and ends with 130', async () => {
    const folder = await emptyFolder();
    const args = ['watch', folder, '--out', await emptyFolder(), '--engine', 'null', '--poll', '0.1', '--port', '0'];
    const running = startCli(args);
    await running.printed(/engine {5}/);
    const stdout = new Promise<string>(resolve => running.process.stdout?.once('data', resolve));
    await cp(SLIDE, join(folder, 'slide.svs'));
    await running.printed('slide: stroma');
    await stdout;
    running.process.kill('SIGTERM');
    const { status, stdout: printed } = await running.finished;
    expect(status).toBe(130);
    expect(printed).toMatch(/watching/);
  });

  it('answers on its endpoints', async () => {
    const args = ['watch', await emptyFolder(), '--out', await emptyFolder(), '--engine', 'null', '--port', '0'];
    const running = startCli(args);
    let printed = '';
    running.process.stdout?.on('data', chunk => {
      printed += chunk;
    });
    await running.printed(/engine {5}/);
    const url = /status {5}(http:\S+)/.exec(printed)![1]!.replace(/\/$/, '');
    for (const path of ['/livez', '/readyz', '/status', '/metrics']) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(200);
    }
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('stromaflow_build_info');
    running.process.kill('SIGINT');
    await running.finished;
  });

  it('replays a labelled folder and prints exact counts', async () => {
    const set = await emptyFolder();
    await mkdir(join(set, 'images'));
    await mkdir(join(set, 'masks'));
    const grey = (value: number, side: number) =>
      sharp({ create: { width: side, height: side, channels: 3, background: { r: value, g: value, b: value } } });
    await grey(90, 512)
      .png()
      .toFile(join(set, 'images', 'dark.png'));
    await sharp(Buffer.alloc(512 * 512, 1), { raw: { width: 512, height: 512, channels: 1 } })
      .png()
      .toFile(join(set, 'masks', 'dark.png'));
    await grey(90, 512)
      .png()
      .toFile(join(set, 'images', 'lonely.png'));
    const out = await emptyFolder();
    const options = ['--positive', '1', '--mpp', '0.5', '--engine', 'null', '--keep-empty', '--out', out];
    const { status, stdout, stderr } = await runCli(['replay', set, ...options]);
    expect(stderr).toMatch(/lonely.png: it has no mask \[LABELS_INVALID\]/);
    expect(status).toBe(1);
    expect(stdout).toMatch(/: IoU [\d.]+, mean of images [\d.]+, Dice [\d.]+\n/);
    expect(stdout).toContain(`report     ${join(out, 'report.html')}`);
    const scores = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8'));
    const { tp, fp, fn, tn } = scores.models[0].splits.all.counts;
    expect(tp + fp + fn + tn).toBe(512 * 512);
    expect(tp + fn).toBe(512 * 512);
    expect(scores.models[0].images).toMatchObject([{ image: 'dark', counts: { tp, fp, fn, tn } }]);
    expect(scores.set.faults).toEqual([expect.stringMatching(/lonely.png: it has no mask/)]);
  });
});

describe('stromaflow, given what it cannot use', () => {
  it.each([
    ['a missing file', ['segment', '/nowhere/a.svs'], 'FILE_NOT_FOUND', 1],
    ['an unknown option', ['segment', SLIDE, '--bach', '3'], 'USAGE', 2],
    ['an unreachable NATS', ['segment', SLIDE, '--nats', 'nats://127.0.0.1:1'], 'BUS_UNREACHABLE', 1],
    ['no such model', ['segment', SLIDE, '--model', '/nowhere'], 'MODEL_NOT_FOUND', 1],
    ['no such engine', ['segment', SLIDE, '--engine', 'abacus'], 'USAGE', 2],
    ['no such folder', ['watch', '/nowhere', '--port', '0'], 'FILE_NOT_FOUND', 1],
    ['tail without NATS', ['tail'], 'USAGE', 2],
    ['an option out of range', ['segment', SLIDE, '--patch-size', '100'], 'USAGE', 2],
  ])('%s: one line with a code and what to do', async (_what, args, code, expected) => {
    const { status, stderr } = await runCli([...args, ...(args[0] === 'tail' ? [] : ['--out', await emptyFolder()])]);
    expect(stderr).toMatch(oneLine(code));
    expect(status).toBe(expected);
  });

  it('a text file, a slide cut short and one without mpp: each its code, the good one is done', async () => {
    const folder = await emptyFolder();
    const whole = await readFile(SLIDE);
    await writeFile(join(folder, 'text.svs'), 'hello');
    await writeFile(join(folder, 'cut.svs'), whole.subarray(0, 1_500_000));
    const nameless = Buffer.from(whole);
    for (let at = nameless.indexOf('|MPP'); at >= 0; at = nameless.indexOf('|MPP')) nameless.write('|XXX', at);
    await writeFile(join(folder, 'no-mpp.svs'), nameless);
    const files = ['text.svs', 'cut.svs', 'no-mpp.svs'].map(name => join(folder, name));
    const args = ['segment', ...files, SLIDE, '--engine', 'null', '--out', await emptyFolder()];
    const { status, stdout, stderr } = await runCli(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/text\.svs.*\[SLIDE_UNREADABLE\]/);
    expect(stderr).toMatch(/cut\.svs.*\[SLIDE_TRUNCATED\]/);
    expect(stderr).toMatch(/no-mpp\.svs.*\[SLIDE_NO_MPP\].*--mpp/);
    expect(stdout).toContain('CMU-1-Small-Region: stroma');
  });

  it('a corrupt tile in the middle: its patches are reported failed, the rest is done', async () => {
    const folder = await emptyFolder();
    const bytes = await readFile(SLIDE);
    // The compressed data of a tile in the middle of level 0: everything after its start-of-scan marker.
    const middle = bytes.indexOf(Buffer.from([0xff, 0xda]), 600_000);
    bytes.fill(0, middle + 20, bytes.indexOf(Buffer.from([0xff, 0xd9]), middle) + 2);
    const path = join(folder, 'corrupt.svs');
    await writeFile(path, bytes);
    const { status, stdout, stderr } = await runCli([
      'segment',
      path,
      '--engine',
      'null',
      '--out',
      await emptyFolder(),
    ]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/corrupt patch \d,\d: .*\[TILE_CORRUPT\]/);
    expect(stdout).toMatch(/corrupt: stroma .*[1-9] FAILED/);
  });

  it('a port in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const args = ['segment', SLIDE, '--engine', 'null', '--out', await emptyFolder(), '--port', String(port)];
    const { status, stderr } = await runCli(args);
    server.close();
    expect(status).toBe(1);
    expect(stderr).toMatch(oneLine('PORT_IN_USE'));
  });

  it('a bundle whose weights do not fit its config: the tensor and both shapes', async () => {
    const bundle = join(await emptyFolder(), 'bundle');
    await cp(STARTER, bundle, { recursive: true });
    const path = join(bundle, 'config.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"decoder_pyramid_channels": 256', '"decoder_pyramid_channels": 128'));
    const { status, stderr } = await runCli(['segment', SLIDE, '--model', bundle, '--out', await emptyFolder()]);
    expect(status).toBe(1);
    expect(stderr).toMatch(oneLine('MODEL_TENSOR'));
    expect(stderr).toMatch(/\[256, 512, 1, 1\].*\[128, 512, 1, 1\]/);
  });
});
