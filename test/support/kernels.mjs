// `npm run kernels`: compiles the AssemblyScript of src/ to WebAssembly and writes the modules that hold it. Decoders are
// loops over bytes and lanes; AssemblyScript is TypeScript's syntax for them, so that nobody needs another toolchain.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Sources (named .as, because they are no TypeScript) and the modules that hold them. */
export const KERNELS = [
  { source: 'src/codec/j2k/plain.as', holder: 'src/codec/j2k/plain-wasm.ts', name: 'PLAIN_WASM' },
  { source: 'src/codec/jpeg/exact.as', holder: 'src/codec/jpeg/exact-wasm.ts', name: 'EXACT_WASM' },
];

const OPTIONS = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub', '--use', 'abort='];

/** The text of the module that holds a source compiled. */
export async function holderOf({ source, name }) {
  let binary;
  const { error, stderr } = await asc.main([source.replace(/as$/, 'ts'), ...OPTIONS, '--outFile', 'kernels.wasm'], {
    readFile: path => readIfThere(join(ROOT, path.replace(/ts$/, 'as'))),
    writeFile: (_, bytes) => {
      binary = Buffer.from(bytes);
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${source}: ${stderr.toString()}`);
  const lines = binary.toString('base64').match(/.{1,114}/g);
  return `/** ${basename(source)}, compiled (WebAssembly with SIMD), base64. */
export const ${name} = [
${lines.map(line => `  '${line}',`).join('\n')}
].join('');
`;
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const kernels of KERNELS) writeFileSync(join(ROOT, kernels.holder), await holderOf(kernels));
