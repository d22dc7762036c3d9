import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSeeds, makeInput } from './input.mjs';
import { MOST_TRIES, minimise } from './minimise.mjs';
import { Runner } from './runner.mjs';

/** Executions of one target. */
export async function fuzzTarget(target, { n, seed, folder, tries = MOST_TRIES, say = () => undefined }) {
  const startedAt = performance.now();
  const seeds = await loadSeeds(target);
  const outcomes = {};
  /** By what is wrong and where: one finding, however many inputs meet it. */
  const found = new Map();
  const note = ({ index, fault }) => {
    const key = `${fault.kind} ${fault.where}`;
    const known = found.get(key);
    if (known) known.count += 1;
    else {
      found.set(key, { target: target.name, seed, index, count: 1, ...fault });
      say(`  ${target.name} ${index}: ${key}`);
    }
  };
  for (let from = 0; from < n; ) {
    const runner = await Runner.start(target.name);
    let latest = {};
    const ended = await runner.run({ seed, from, to: n }, message => {
      if (message.fault) note(message);
      if (message.outcomes) latest = message.outcomes;
      return message.done;
    });
    runner.close();
    for (const [name, count] of Object.entries(latest)) outcomes[name] = (outcomes[name] ?? 0) + count;
    if (!ended) break;
    if (ended.index < from || /exit code 70/.test(ended.fault.detail))
      throw new Error(`${target.name}: ${ended.fault.detail}`);
    note(ended);
    outcomes[ended.fault.kind] = (outcomes[ended.fault.kind] ?? 0) + 1;
    from = ended.index + 1;
  }
  const findings = [];
  for (const finding of found.values()) {
    const confirmed = await confirm(target, seeds, finding, { folder, tries });
    if (confirmed) findings.push(confirmed);
    else say(`  ${target.name} ${finding.index}: ${finding.kind} did not happen again alone`);
  }
  return { target: target.name, executions: n, outcomes, findings, seconds: (performance.now() - startedAt) / 1000 };
}

/** Runs the input alone, so that neither a busy machine nor an earlier input is blamed on it; then makes it small and keeps it. */
async function confirm(target, seeds, finding, { folder, tries }) {
  const { bytes, from } = makeInput(target, seeds, finding.seed, finding.index);
  let runner = await Runner.start(target.name);
  let seen;
  const fails = async candidate => {
    let single;
    const ended = await runner.run({ input: candidate }, message => {
      single = message.single?.fault;
      return message.single !== undefined;
    });
    if (ended) {
      runner.close();
      runner = await Runner.start(target.name);
    }
    const fault = ended?.fault ?? single;
    const same =
      fault?.kind === finding.kind &&
      (fault.where === finding.where || finding.kind === 'crash' || finding.kind === 'hang');
    if (same) seen = fault;
    return same;
  };
  try {
    if (!(await fails(bytes))) return undefined;
    const small = await minimise(bytes, from, fails, tries);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${target.name}-${finding.kind}-${finding.seed}-${finding.index}.bin`);
    writeFileSync(file, small);
    return { ...finding, detail: seen?.detail ?? finding.detail, file, bytes: small.length };
  } finally {
    runner.close();
  }
}
