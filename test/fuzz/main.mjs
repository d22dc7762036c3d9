// `npm run fuzz -- [--target t] [--n 50000] [--seed s] [--json]`: every reader against damaged files. `--replay file` runs one
// input of a target again.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzzTarget } from './fuzz.mjs';
import { Runner } from './runner.mjs';
import { TARGETS, targetNamed } from './targets/index.mjs';

const OPTIONS = {
  target: { type: 'string', multiple: true },
  n: { type: 'string', default: '50000' },
  seed: { type: 'string', default: '1' },
  findings: { type: 'string', default: 'fuzz-findings' },
  replay: { type: 'string' },
  json: { type: 'boolean', default: false },
};

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    const names = TARGETS.map(({ name }) => name).join(', ');
    console.error(
      `${error.message}\nOptions: ${Object.keys(OPTIONS)
        .map(name => `--${name}`)
        .join(' ')}\nTargets: ${names}`,
    );
    process.exit(2);
  }
}

const values = readOptions();

const targets = values.target?.map(targetNamed) ?? TARGETS;
if (values.replay) {
  const runner = await Runner.start(targets[0].name);
  const ended = await runner.run({ input: readFileSync(values.replay) }, message => {
    if (message.single) console.log(message.single);
    return message.single !== undefined;
  });
  if (ended) console.log(ended);
  runner.close();
} else {
  const findings = [];
  for (const target of targets) {
    const options = { n: Number(values.n), seed: Number(values.seed), folder: values.findings };
    const result = await fuzzTarget(target, { ...options, say: text => values.json || console.log(text) });
    findings.push(...result.findings);
    console.log(values.json ? JSON.stringify(result) : lineOf(result));
    if (!values.json) for (const finding of result.findings) console.log(describe(finding));
  }
  process.exitCode = findings.length > 0 ? 1 : 0;
}

function describe({ kind, index, count, where, detail, file, bytes }) {
  const text = detail.split('\n').slice(0, 6).join('\n    ');
  return `  ${kind} at ${where} (input ${index}, ${count} in all; ${bytes} bytes in ${file})\n    ${text}`;
}

function lineOf({ target, executions, outcomes, findings, seconds }) {
  const ends = Object.entries(outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
  return `${target.padEnd(16)} ${executions} executions, ${seconds.toFixed(0)} s, ${findings.length} findings: ${ends}`;
}
