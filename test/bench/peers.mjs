import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeLargeSlide } from './large-slide.mjs';
import { FIXTURE, median, withFolder } from './support.mjs';

const PYTHON = process.env.PYTHON ?? 'python3';
const SCRIPT = fileURLToPath(new URL('peers.py', import.meta.url));
const OURS = fileURLToPath(new URL('peers-ours.mjs', import.meta.url));
const READERS = ['cuCIM', 'tifffile', 'microtome-wsi', 'fastslide', 'OpenSlide', 'bare decode'];
const PATCH = 512;

/**
 * Reading patches beside other readers and beside the codec alone: the same slides, the same patches, each reader in a process of its own that stays,
 * rounds in turn. Pixels per second of processor time, and by the clock. A reader that is not installed, or does not read a slide, is named and left out.
 *
 * @returns for each slide and number of threads: Mpx per processor second and per second of each reader, and ours ÷ cuCIM and ÷ the bare decode
 */
export function benchPeers({ rounds, threads: counts = [1, 2, 4], slides: wanted, say }) {
  return withFolder(async folder => {
    const slides = await makeSlides(folder, say);
    const results = [];
    for (const [slide, path] of Object.entries(slides)) {
      if (wanted && !wanted.includes(slide)) continue;
      for (const threads of counts) {
        const measured = await measure(path, threads, rounds);
        say(`${slide}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, Mpx per processor second (per second):`);
        for (const { name, version, absent, cpu, wall } of measured)
          say(
            absent ? `  ${name}: left out: ${absent}` : `  ${name} ${version}: ${cpu.toFixed(0)} (${wall.toFixed(0)})`,
          );
        const of = name => measured.find(reader => reader.name === name && !reader.absent);
        const ratio = name => (of(name) ? round(median(of(name).ratios)) : null);
        const ratios = { vsCucim: ratio('cuCIM'), vsBareDecode: ratio('bare decode') };
        say(
          `  ours ÷ cuCIM ${ratios.vsCucim ?? '–'} (want ≥ 1.4), ÷ bare decode ${ratios.vsBareDecode ?? '–'} (want ≥ 0.8)`,
        );
        const readers = measured.map(({ name, version, absent, cpu, wall }) =>
          absent ? { name, absent } : { name, version, cpu: round(cpu), wall: round(wall) },
        );
        results.push({ slide, threads, ...ratios, readers });
      }
    }
    return results;
  });
}

/** The bench's slide, and its pixels in other codings; those need Python's tifffile. */
async function makeSlides(folder, say) {
  const at = name => join(folder, `${name}.tif`);
  await makeLargeSlide(FIXTURE, at('jpeg'), 4);
  const slides = { 'JPEG as scanned, 240 px': at('jpeg') };
  try {
    await promisify(execFile)(PYTHON, [SCRIPT, 'make', at('jpeg'), at('444'), at('420'), at('j2k')]);
    Object.assign(slides, { 'JPEG 4:4:4': at('444'), 'JPEG 4:2:0': at('420'), 'JPEG 2000': at('j2k') });
  } catch (error) {
    say(
      `other codings are left out: ${String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    );
  }
  return slides;
}

async function measure(path, threads, rounds) {
  const readers = [new Reader('ours', process.execPath, [OURS, path, String(PATCH), String(threads)])];
  for (const name of READERS)
    readers.push(new Reader(name, PYTHON, [SCRIPT, 'run', name, path, String(PATCH), String(threads)]));
  try {
    // One after the other, so that what they begin with disturbs no other.
    for (const reader of readers) await reader.start();
    const there = readers.filter(({ absent }) => !absent);
    for (let i = 0; i < rounds; i++) for (const reader of there) await reader.round();
    const [ours] = readers;
    if (ours.absent) throw new Error(`our own reading: ${ours.absent}`);
    return readers.map(({ name, version, absent, runs }) => ({
      ...{ name, version, absent },
      cpu: median(runs.map(({ cpu, pixels }) => pixels / cpu / 1e6)),
      wall: median(runs.map(({ wall, pixels }) => pixels / wall / 1e6)),
      ratios: runs.map(({ cpu, pixels }, i) => ours.runs[i].pixels / ours.runs[i].cpu / (pixels / cpu)),
    }));
  } finally {
    for (const reader of readers) reader.stop();
  }
}

/** A reader's process; a line in, a line of JSON out. */
class Reader {
  runs = [];
  #command;
  #child;
  #lines;

  constructor(name, program, args) {
    this.name = name;
    this.#command = [program, args];
  }

  async start() {
    const [program, args] = this.#command;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = new Promise(resolve => this.#child.once('error', ({ message }) => resolve({ absent: message })));
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const { version, absent } = await Promise.race([this.#next(), failed]);
    this.version = version;
    this.absent = absent;
  }

  async round() {
    this.#child.stdin.write('\n');
    const run = await this.#next();
    if (run.absent) throw new Error(`${this.name} ended between two rounds`);
    this.runs.push(run);
  }

  /** Native readers may say something of their own; the answer is the line that is JSON. */
  async #next() {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) return { absent: 'its process ended' };
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }

  stop() {
    this.#child?.kill('SIGKILL');
  }
}

const round = value => Math.round(value * 1000) / 1000;
