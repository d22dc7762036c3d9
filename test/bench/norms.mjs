import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ENGINES } from '#src/engine/catalogue.js';
import { bootstrap } from '#src/evaluate/bootstrap.js';
import { quantised, unfrozen } from './quantised.mjs';
import { median, withFolder } from './support.mjs';
import { startTurns } from './turns.mjs';

const CHILD = fileURLToPath(new URL('norms-child.mjs', import.meta.url));
const STARTER = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));
const CHROMIUM = '/usr/lib/chromium';
const software =
  !['/dev/dri', '/dev/nvidiactl', '/dev/dxg'].some(existsSync) && existsSync(`${CHROMIUM}/vk_swiftshader_icd.json`);
/** SwiftShader computes on the CPU what a GPU would. */
const SOFTWARE_GPU = software
  ? { VK_ICD_FILENAMES: `${CHROMIUM}/vk_swiftshader_icd.json`, LD_LIBRARY_PATH: CHROMIUM }
  : {};

/** Engines by what a patch costs them: the slow ones get a small one. */
const sideOf = engine => (engine === 'tfjs-cpu' || (software && engine.endsWith('webgpu')) ? 64 : 512);

/**
 * The starter by each patch's own statistics and frozen, on every engine that starts here: turns of one patch, in turn, each in a process of its own that waits while
 * the other one computes. The processor's time counts where it computes; the clock stands beside it, for GPUs.
 *
 * @param engines names of engines, or `int8` (on cpu); all unless given
 */
export async function benchNorms({ engines, rounds = 15, threads = 1, say = () => {} }) {
  const all = [...ENGINES.filter(({ name }) => name !== 'null').map(({ name }) => name), 'int8'];
  const wanted = engines ?? all;
  const unknown = wanted.find(name => !all.includes(name));
  if (unknown !== undefined) throw new Error(`there is no engine ${unknown}: ${all.join(', ')}`);
  const results = [];
  for (const name of wanted) {
    const measured = await withFolder(async folder => {
      const bundles = name === 'int8' ? await int8(folder, threads) : [STARTER, STARTER];
      return measure(name === 'int8' ? 'cpu' : name, bundles, { rounds, threads });
    });
    const result = { engine: name, ...measured };
    say(lineOf(result));
    results.push(result);
  }
  return results;
}

/** Both made int8, calibrated on the committed slide. */
async function int8(folder, threads) {
  const own = await unfrozen(STARTER, folder);
  return [await quantised(own, folder, threads), await quantised(STARTER, folder, threads)];
}

async function measure(engine, bundles, { rounds, threads }) {
  const side = sideOf(engine);
  const ways = ['patch', 'frozen'].map((norm, i) =>
    startTurns(
      process.execPath,
      [CHILD, engine, side, threads, bundles[i], norm],
      engine.endsWith('webgpu') ? SOFTWARE_GPU : {},
    ),
  );
  try {
    const [{ name, version, device }] = [await ways[0].next(), await ways[1].next()];
    const turns = [];
    for (let round = 0; round < rounds; round++) {
      const turn = {};
      for (const norm of round % 2 === 0 ? ['patch', 'frozen'] : ['frozen', 'patch'])
        turn[norm] = await ways[norm === 'patch' ? 0 : 1].turn();
      turns.push(turn);
    }
    const library = `${name} ${version} (${software && engine.endsWith('webgpu') ? 'SwiftShader' : device})`;
    return { library, side, rounds, ...summary(turns, 'processor'), ...summary(turns, 'wall') };
  } catch (error) {
    return { notRun: error.message };
  } finally {
    for (const way of ways) way.kill();
  }
}

/** A child that waits while the other one computes. */
/** Medians in ms, and the median over rounds of frozen ÷ own with a bootstrap interval over rounds: one turn that was disturbed moves neither. */
function summary(turns, what) {
  const of = norm => turns.map(turn => turn[norm][what]);
  const ratios = turns.map(({ patch, frozen }) => frozen[what] / patch[what]).sort((a, b) => a - b);
  const middle = weights => {
    let [place, drawn] = [-1, 0];
    while (drawn < turns.length / 2) drawn += weights[++place];
    return ratios[place];
  };
  const { value, lower, upper } = bootstrap(turns.length, middle, { seed: 1 });
  return {
    [what]: {
      patch: round(median(of('patch'))),
      frozen: round(median(of('frozen'))),
      ratio: round(value),
      lower: round(lower),
      upper: round(upper),
    },
  };
}

const round = value => Number(value.toPrecision(4));
const lineOf = ({ engine, library, side, processor, wall, notRun }) => {
  if (notRun !== undefined) return `${engine.padEnd(14)} not run: ${notRun}`;
  const shown = ({ patch, frozen, ratio, lower, upper }) =>
    `${frozen} ÷ ${patch} ms = ${ratio.toFixed(3)} (${lower.toFixed(3)} to ${upper.toFixed(3)})`;
  return `${engine.padEnd(14)} ${library}, ${side} px, frozen ÷ own: processor ${shown(processor)}, clock ${shown(wall)}`;
};
