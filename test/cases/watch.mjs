import { check, checkBoxes, places, results } from './case.mjs';

const completed = (found, n) => found.filter(({ summary }) => summary.state === 'completed').length >= n;

/** Times a line of the log says that a slide was completed. */
const completions = ({ stdout }) =>
  stdout.split('\n').filter(line => line.startsWith('{') && JSON.parse(line).state === 'completed').length;

function checkBoth(found) {
  check(found.length === 2, `${found.length} output folders`);
  const [small, large] = found.toSorted((a, b) => a.boxes.length - b.boxes.length);
  checkBoxes(small, [[0, 0]]);
  checkBoxes(large, [
    [96, 800],
    [512, 512],
  ]);
  return found.map(({ id }) => id).join(', ');
}

async function playCopy(one, how) {
  const making = one.startMaking(how);
  await new Promise(resolve => making.stdout.once('data', resolve));
  const made = new Promise(resolve => making.once('close', resolve));
  let over = false;
  made.then(() => {
    over = true;
  });
  const args = ['--model', one.model, '--settle', '2', '--poll', '1', '--json'];
  const run = await one.watch(one.at('in'), found => over && completed(found, 1), ...args);
  const [result] = results(run.out);
  check(result?.summary.patches.segmented === 9, `${how}: ${JSON.stringify(result?.summary.patches)}`);
  checkBoxes(result, [
    [64, 64],
    [1408, 1408],
  ]);
  check(completions(run) === 1, `${how}: completed ${completions(run)} times`);
}

export const WATCH_CASES = {
  async '04'(one) {
    await one.make();
    const slides = [one.at('a', 'S1.svs'), one.at('b', 'S1.svs')];
    const ids = checkBoth(results((await one.segment(...slides, '--model', one.model)).out));
    const run = await one.watch(one.at('in'), found => completed(found, 2), '--model', one.model);
    return `segment ${ids}; watch ${checkBoth(results(run.out))}`;
  },

  async 10(one) {
    for (const how of ['control', 'r1980', 'behind']) await playCopy(one, how);
    return 'one run, 9 segmented, however the copy is dated';
  },

  async 11(one) {
    const { stdout } = await one.make(
      `${process.execPath} ${new URL('../../dist/src/cli/main.js', import.meta.url).pathname}`,
    );
    const line = name => stdout.split('\n').find(text => text.startsWith(`${name} `)) ?? `${name} nothing`;
    const grown = line('G');
    check(grown.includes('completed') && /'segmented': 16\b/.test(grown), grown);
    check(grown.includes('(64') && grown.includes('(1920'), grown);
    check(line('T').includes('completed'), line('T'));
    check(line('F1').includes('completed'), line('F1'));
    return grown;
  },

  async 18(one) {
    await one.make();
    const args = ['--mpp', '0.5', '--model', one.model];
    const [whole] = results((await one.segment(one.at('skip'), ...args)).out);
    checkBoxes(whole, [
      [64, 64],
      [448, 448],
    ]);
    check(
      whole.summary.state === 'completed' && (whole.summary.tiles?.missing ?? 0) === 0,
      JSON.stringify(whole.summary.tiles),
    );
    const run = await one.watch(one.at(), found => completed(found, 1), ...args, '--incomplete-after', '8');
    const live = results(run.out).find(({ boxes }) => boxes.length > 0);
    check(live, 'watch: not completed');
    checkBoxes(live, [
      [64, 64],
      [448, 448],
    ]);
    return `completed whole and live, ${places(whole.boxes)}`;
  },
};
