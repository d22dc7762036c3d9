// Everything `bench -- gpu` needs on a machine with a driver and Node: `npm run bench -- gpu --pack <folder> [--libraries <folder of wheels>]`.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FIXTURE, withFolder } from './support.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SCRIPT = 'measure-gpu.sh';
const PART_BYTES = 64 * 2 ** 20;

/** Where onnxruntime looks for the providers it loads: beside its binding. */
const BESIDE_BINDING = 'dist/node_modules/onnxruntime-node/bin/napi-v6/linux/x64';
/** What is installed by choice, beside the dependencies proper. */
const BY_CHOICE = [
  'webgpu',
  ...['core', 'backend-cpu', 'backend-wasm', 'backend-webgpu', 'node', 'node-gpu'].map(
    name => `@tensorflow/tfjs-${name}`,
  ),
];

/**
 * Writes `part-000`, `part-001`, … of 64 MiB at most, their sums and measure-gpu.sh into an empty folder. They can travel one by one; the script
 * names those that are still to come, puts them together once all are there, and measures.
 *
 * @param libraries a folder with wheels as `pip download` leaves them, or libraries: onnxruntime-gpu's providers and what they link to
 */
export async function packGpu({ folder, libraries, partBytes = PART_BYTES, say }) {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty: name a folder that is new`);
  return withFolder(async staged => {
    if (libraries) await takeLibraries(libraries, staged);
    const packages = await packagesOf(ROOT);
    const product = [
      ...['package.json', 'dist/src', 'dist/pipelines', 'dist/node_modules', 'models', 'test/bench'],
      ...[relative(ROOT, FIXTURE), ...packages.map(name => join('node_modules', name))],
    ];
    const tar = spawn('tar', ['-c', '-C', ROOT, ...product, '-C', staged, '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gzip = spawn('gzip', ['-c'], { stdio: [tar.stdout, 'pipe', 'inherit'] });
    const ends = Promise.all([tar, gzip].map(ended));
    const parts = await writeParts(gzip.stdout, folder, partBytes);
    await ends;
    await writeFile(join(folder, 'parts.sha256'), parts.map(({ name, sum }) => `${sum}  ${name}\n`).join(''));
    await copyFile(fileURLToPath(new URL(SCRIPT, import.meta.url)), join(folder, SCRIPT));
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    say(`${parts.length} parts, ${(bytes / 2 ** 20).toFixed(0)} MiB, in ${folder}; on the machine: bash ${SCRIPT}`);
    return { parts: parts.length, bytes };
  });
}

/** The installed packages that the dependencies and those installed by choice come to. */
async function packagesOf(root) {
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const waiting = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...BY_CHOICE];
  const found = new Set();
  for (let name = waiting.pop(); name; name = waiting.pop()) {
    if (found.has(name)) continue;
    const text = await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    found.add(name);
    const own = JSON.parse(text);
    waiting.push(...Object.keys({ ...own.dependencies, ...own.optionalDependencies }));
  }
  return [...found].sort();
}

/** Providers go beside onnxruntime's binding, what they link to into `libraries/`. */
async function takeLibraries(from, staged) {
  const linked = join(staged, 'libraries');
  const beside = join(staged, BESIDE_BINDING);
  await mkdir(linked, { recursive: true });
  await mkdir(beside, { recursive: true });
  for (const name of await readdir(from)) {
    const path = join(from, name);
    if (/\.so(\.|$)/.test(name)) await copyFile(path, join(linked, name));
    // 11: the wheel has no library.
    if (name.endsWith('.whl'))
      await run('unzip', ['-q', '-j', '-o', path, '*.so', '*.so.*', '-d', linked]).catch(error => {
        if (error.code === 'ENOENT') throw new Error('unzip is needed to open wheels: apt-get install unzip');
        if (error.code !== 11) throw error;
      });
  }
  const libraries = await readdir(linked);
  if (libraries.length === 0) throw new Error(`${from} has neither wheels nor libraries`);
  for (const name of libraries) {
    if (name.startsWith('libonnxruntime_providers_')) await rename(join(linked, name), join(beside, name));
    // The product has its own, and no Python.
    else if (/^libonnxruntime\.so|pybind11/.test(name)) await rm(join(linked, name));
  }
}

async function writeParts(stream, folder, partBytes) {
  const parts = [];
  let part;
  const close = async () => {
    if (!part) return;
    await part.file.close();
    parts.push({ name: part.name, bytes: part.bytes, sum: part.hash.digest('hex') });
    part = undefined;
  };
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      if (!part) {
        const name = `part-${String(parts.length).padStart(3, '0')}`;
        part = { name, bytes: 0, hash: createHash('sha256'), file: await open(join(folder, name), 'w') };
      }
      const piece = chunk.subarray(at, at + partBytes - part.bytes);
      await part.file.writeFile(piece);
      part.hash.update(piece);
      part.bytes += piece.length;
      at += piece.length;
      if (part.bytes === partBytes) await close();
    }
  }
  await close();
  return parts;
}

const ended = child =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', code => (code === 0 ? resolve() : reject(new Error(`${child.spawnfile} ended with ${code}`))));
  });
