import { spawn } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { SHIPPED } from '../support/ship.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALLER_SCRIPTS = ['preinstall', 'install', 'postinstall'];
/** Packing and installing write 200 MB each, on a machine that may have other things to do. */
const PATIENCE_MS = 600_000;

interface Outcome {
  readonly status: number | null;
  readonly text: string;
}

/** Runs a program as somebody else's shell would: without what the npm around the tests has set. */
function run(program: string, args: readonly string[], cwd: string): Promise<Outcome> {
  const plain = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|STROMAFLOW_|NODE_OPTIONS$|INIT_CWD$)/i.test(name),
  );
  const child = spawn(program, args, { cwd, env: Object.fromEntries(plain), stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', chunk => {
      text += chunk;
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => resolve({ status, text }));
  });
}

/** Every package.json below a node_modules folder. */
async function packagesIn(folder: string): Promise<{ name: string; scripts?: Record<string, string> }[]> {
  const paths = await readdir(folder, { recursive: true });
  const own = paths.filter(path => /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(`node_modules/${path}`));
  return Promise.all(own.map(async path => JSON.parse(await readFile(join(folder, path), 'utf8'))));
}

interface Locked {
  readonly dev?: boolean;
  readonly peer?: boolean;
  readonly hasInstallScript?: boolean;
  readonly deprecated?: string;
}

/** The code of docs/library.md, every block a module's, without the lines that would run. */
async function libraryExamples(): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/library.md'), 'utf8');
  const [first, second] = [...page.matchAll(/```ts [a-z-]+\n(.*?)```/gs)].map(([, code]) => code!);
  const lines = (code: string, imports: boolean) =>
    code.split('\n').filter(line => line.startsWith('import ') === imports);
  const body = lines(first!, false).join('\n');
  const names = [first!, second!].flatMap(code =>
    lines(code, true).flatMap(line =>
      /\{(.*)\}/
        .exec(line)![1]!
        .split(',')
        .map(name => name.trim()),
    ),
  );
  const imports = `import { ${[...new Set(names)].join(', ')} } from 'stromaflow/pipeline';`;
  return `${imports}\nexport async function whole(): Promise<void> {\n${body}}\n${lines(second!, false).join('\n')}`;
}

describe('what a dependent gets', () => {
  it('has no install script and nothing deprecated, by the lock file', async () => {
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
    const installed = (Object.entries(lock.packages) as [string, Locked][]).filter(
      ([path, { dev, peer }]) => path !== '' && !dev && !peer,
    );
    expect(installed.length).toBeGreaterThan(50);
    expect(installed.filter(([, entry]) => entry.hasInstallScript || entry.deprecated !== undefined)).toEqual([]);
  });

  it('depends on no override, which reach only those who work on this repository', async () => {
    const { overrides } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
    for (const name of Object.keys(overrides)) expect(packages[`node_modules/${name}`]?.dev, name).toBe(true);
  });
});

describe('the package, installed from its tarball in an empty project', () => {
  let project: string;
  let packed: Outcome;
  let installed: Outcome;
  let nats: TestNatsServer;

  beforeAll(async () => {
    project = await emptyFolder();
    nats = await startNatsServer();
    packed = await run('npm', ['pack', '--pack-destination', project], ROOT);
    const tarball = (await readdir(project)).find(name => name.endsWith('.tgz'));
    installed = await run('npm', ['install', '--prefer-offline', `./${tarball}`], project);
  }, PATIENCE_MS);

  afterAll(async () => {
    await nats.stop();
    await rm(project, { recursive: true });
  });

  it('installs without a warning', () => {
    expect(packed.status, packed.text).toBe(0);
    expect(installed.status, installed.text).toBe(0);
    expect(installed.text).not.toMatch(/npm (warn|error)/i);
  });

  it('runs no script of anybody', async () => {
    const packages = await packagesIn(join(project, 'node_modules'));
    const names = packages.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['stromaflow', 'fastify', ...Object.keys(SHIPPED)]));
    const eager = packages.filter(({ scripts = {} }) => INSTALLER_SCRIPTS.some(script => script in scripts));
    expect(eager.map(({ name }) => name)).toEqual([]);
  });

  it('compiles in a strict TypeScript project that checks its libraries too, and its client connects', async () => {
    await writeFile(
      join(project, 'package.json'),
      JSON.stringify({ type: 'module', dependencies: { stromaflow: '*' } }),
    );
    await writeFile(
      join(project, 'subscribe.ts'),
      `import { connect, decodeMaskPng, describeEvent, ERRORS, type ErrorCode, eventSchemas, StromaflowError, VERSION } from 'stromaflow';
const client = await connect({ url: '${nats.url}' });
const masks = client.masks({ site: 'lab' });
await client.ready();
await client.close();
for await (const mask of masks) {
  const share: number = mask.stromapixels / mask.validpixels;
  console.log(mask.slide, share, decodeMaskPng(mask.png).width);
}
const code: ErrorCode = 'USAGE';
console.log(VERSION, ERRORS[code].exit, typeof describeEvent, typeof eventSchemas, new StromaflowError(code, 'x').code);
`,
    );
    await writeFile(join(project, 'segment.ts'), await libraryExamples());
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      target: 'es2022',
      module: 'nodenext',
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    };
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['subscribe.ts', 'segment.ts'] }),
    );
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    expect(await run(process.execPath, [compiler, '-p', '.'], project)).toEqual({ status: 0, text: '' });
    const subscribed = await run(process.execPath, ['subscribe.js'], project);
    expect(subscribed.text).toMatch(/^\d+\.\d+\.\d+ 2 function object USAGE\n$/);
  });

  it(
    'finds its engine, its readers and its ledger',
    async () => {
      const stromaflow = join(project, 'node_modules/.bin/stromaflow');
      const doctor = await run(stromaflow, ['doctor'], project);
      expect(doctor.text).toMatch(/✓ engine cpu +onnxruntime/);
      expect(doctor.status, doctor.text).toBe(0);
      const slide = join(project, 'node_modules/stromaflow/test/fixtures', SLIDE.split('/').at(-1)!);
      const segmented = await run(stromaflow, ['segment', slide, '--engine', 'null', '--out', 'out'], project);
      expect(segmented.status, segmented.text).toBe(0);
      const summary = JSON.parse(await readFile(join(project, 'out/CMU-1-Small-Region/summary.json'), 'utf8'));
      expect(summary.patches).toMatchObject({ failed: 0 });
    },
    PATIENCE_MS,
  );
});
