// `npm run build` ends with it: puts into dist/node_modules/ the packages that have install scripts, without these. Whoever
// installs Stromaflow then runs no script of anybody's, asks no host but the npm registry and gets no binaries for other
// systems than Linux. Node finds them there by their names. docs/decisions/0024-packages-shipped-inside.md says why.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TARGET = join(ROOT, 'dist/node_modules');

/** What of each package runs. The platform packages of lmdb and koffi are ordinary optional dependencies. */
export const SHIPPED = {
  '@julusian/jpeg-turbo': /^(index\.js|binding-options\.js|LICENSE|prebuilds\/jpeg-turbo-(linux|darwin)[^/]*\/.*)$/,
  koffi: /^(index\.c?js|LICENSE\.txt|src\/koffi\/.*\.c?js)$/,
  lmdb: /^([a-z-]+\.js|LICENSE|dist\/index\.cjs|dict\/.*|util\/when\.js)$/,
  msgpackr: /^([a-z-]+\.js|LICENSE|dist\/node\.cjs)$/,
  'onnxruntime-node': /^(dist\/.*\.js|bin\/napi-v6\/linux\/.*)$/,
  'pkg-prebuilds': /^(bindings\.js|lib\/.*|LICENSE)$/,
};

// Of OpenTelemetry's packages a thirtieth is run: the rest is the same code for other module systems, its maps and types.
for (const name of ['api-logs', 'core', 'otlp-transformer', 'resources', 'sdk-metrics', 'sdk-trace'])
  SHIPPED[`@opentelemetry/${name}`] = /^(build\/src\/.*\.js|LICENSE)$/;
SHIPPED['@opentelemetry/semantic-conventions'] =
  /^(dist\/(index|stable_.*|(trace|resource|internal)\/.*)\.cjs|dist\/(trace|resource|internal)\/package\.json|LICENSE)$/;

/** Of a package.json: what Node needs to load it and people to know it, and nothing that an installer would act on. */
const KEPT = ['name', 'version', 'description', 'license', 'author', 'repository', 'type', 'main', 'exports'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const stale of existsSync(TARGET) ? namesIn(TARGET) : [])
    if (!(stale in SHIPPED)) rmSync(join(TARGET, stale), { recursive: true });
  for (const [name, files] of Object.entries(SHIPPED)) ship(name, files);
  shipPage();
}

/** The viewer's page: what tsc does not write, and the one library it has. */
function shipPage() {
  const from = join(ROOT, 'src/page');
  const into = join(ROOT, 'dist/src/page');
  for (const name of readdirSync(from).filter(name => /\.(html|css)$/.test(name)))
    copyFileSync(join(from, name), join(into, name));
  const library = join(ROOT, 'node_modules/openseadragon');
  const script = readFileSync(join(library, 'build/openseadragon/openseadragon.min.js'), 'utf8');
  const licence = readFileSync(join(library, 'LICENSE.txt'), 'utf8');
  // Its map is not shipped, and a browser would look for it.
  const plain = script.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
  writeFileSync(join(into, 'openseadragon.js'), `/*\n${licence}*/\n${plain}`);
}

function ship(name, files) {
  const from = join(ROOT, 'node_modules', name);
  const into = join(TARGET, name);
  const about = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  const kept = JSON.stringify(Object.fromEntries(KEPT.filter(key => key in about).map(key => [key, about[key]])));
  const mark = join(into, 'package.json');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === kept) return;
  rmSync(into, { recursive: true, force: true });
  for (const path of readdirSync(from, { recursive: true }).filter(path => files.test(path))) {
    if (!statSync(join(from, path)).isFile()) continue;
    mkdirSync(dirname(join(into, path)), { recursive: true });
    copyFileSync(join(from, path), join(into, path));
  }
  // Last, as it says that everything is there.
  writeFileSync(mark, kept);
}

function namesIn(folder) {
  return readdirSync(folder).flatMap(name =>
    name.startsWith('@') ? readdirSync(join(folder, name)).map(inner => `${name}/${inner}`) : [name],
  );
}
