// Writes the package's entry for browsers as one file to standard output. A process of its own: the bundler's threads and a test's do not go together.
// What of it is a module of Node's goes to standard error, and fails.
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const problems = [];
const built = await rolldown({
  input: fileURLToPath(new URL('../../dist/src/browser.js', import.meta.url)),
  platform: 'browser',
  onLog: (level, { message }) => level !== 'info' && problems.push(message),
});
const { output } = await built.generate({ format: 'esm', codeSplitting: false });
await built.close();
const [chunk] = output;
problems.push(...chunk.imports.map(name => `${name} is imported`));
if (output.length > 1) problems.push(`${output.length} files`);
process.stdout.write(chunk.code);
if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n`);
  process.exitCode = 1;
}
