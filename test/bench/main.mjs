// `npm run bench [-- graph [--patches 20000 --masks smooth,ragged --readers n] | peers [--threads 1,2,4 --rounds 5 --slides 'JPEG 4:2:0;JPEG 2000'] | live | gpu [--seconds 540 --engines tensorrt,cuda,webgpu --batches 1,4,16,32] [--pack folder [--libraries wheels]] | scale | replay | idle | norms [--engines cpu,int8] [--rounds 15] | shift [--model bundle] | traces [--rounds 15] | train [--side 512 --batch 4 --threads 2] | toolbox [--rounds 5] | viewers [--part frames|memory|run|paced] | kills --n 100 [--growing | --finished]] [--json]`: what docs/performance.md holds, each ratio measured in one run.
// `scale [--seeds 3] [--only events]` shares work over NATS, `chaos --seeds 20 [--first 1] [--only 'the server is killed'] [--hosts] [--outage 30]` while things go wrong.
import { parseArgs } from 'node:util';
import { benchChaos } from './chaos.mjs';
import { benchGpu } from './gpu.mjs';
import { packGpu } from './gpu-pack.mjs';
import { benchGraph } from './graph.mjs';
import { benchIdle } from './idle.mjs';
import { benchKills } from './kills.mjs';
import { benchLive } from './live.mjs';
import { benchNorms } from './norms.mjs';
import { benchPeers } from './peers.mjs';
import { benchRatios } from './ratios.mjs';
import { benchReplay } from './replay.mjs';
import { benchScale } from './scale.mjs';
import { benchShift } from './shift.mjs';
import { FIXTURE } from './support.mjs';
import { benchToolbox } from './toolbox.mjs';
import { benchTraces } from './traces.mjs';
import { benchTrain } from './train.mjs';

const STARTER = new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url).pathname;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    n: { type: 'string', default: '100' },
    seeds: { type: 'string' },
    first: { type: 'string', default: '1' },
    only: { type: 'string' },
    hosts: { type: 'boolean', default: false },
    outage: { type: 'string' },
    patches: { type: 'string', default: '20000' },
    masks: { type: 'string', default: 'smooth,ragged' },
    readers: { type: 'string' },
    growing: { type: 'boolean', default: false },
    finished: { type: 'boolean', default: false },
    side: { type: 'string', default: '512' },
    batch: { type: 'string', default: '4' },
    threads: { type: 'string' },
    engines: { type: 'string' },
    model: { type: 'string', default: STARTER },
    rounds: { type: 'string' },
    part: { type: 'string' },
    seconds: { type: 'string' },
    batches: { type: 'string' },
    pack: { type: 'string' },
    libraries: { type: 'string' },
    slides: { type: 'string' },
  },
});
const say = text => values.json || console.log(text);

const BENCHES = {
  ratios: () => benchRatios(say),
  graph: () => {
    const readers = values.readers ? { readers: +values.readers } : {};
    return benchGraph({ patches: +values.patches, kinds: values.masks.split(','), ...readers, say });
  },
  gpu: () => {
    const numbers = text => text.split(',').map(Number);
    if (values.pack) return packGpu({ folder: values.pack, libraries: values.libraries, say });
    return benchGpu({
      ...{ model: values.model, side: +values.side, say },
      ...(values.seconds && { seconds: +values.seconds }),
      ...(values.engines && { engines: values.engines.split(',') }),
      ...(values.batches && { batches: numbers(values.batches) }),
    });
  },
  replay: () => benchReplay({ slide: FIXTURE, say }),
  idle: () => benchIdle({ slide: FIXTURE, say }),
  live: () => benchLive({ slide: FIXTURE, say }),
  scale: () => {
    const only = values.only === undefined ? {} : { only: values.only };
    return benchScale({ slide: FIXTURE, chaos: +(values.seeds ?? 3), ...only, say });
  },
  peers: () => {
    const counts = values.threads ? { threads: values.threads.split(',').map(Number) } : {};
    const slides = values.slides ? { slides: values.slides.split(';') } : {};
    return benchPeers({ rounds: +(values.rounds ?? 5), ...counts, ...slides, say });
  },
  norms: () => {
    const engines = values.engines?.split(',');
    return benchNorms({
      rounds: +(values.rounds ?? 15),
      threads: +(values.threads ?? 1),
      say,
      ...(engines && { engines }),
    });
  },
  shift: () => benchShift({ model: values.model, say }),
  train: () => benchTrain({ side: +values.side, batch: +values.batch, threads: +(values.threads ?? 2), say }),
  toolbox: () => {
    const rounds = values.rounds ? { rounds: +values.rounds } : {};
    return benchToolbox({ slide: FIXTURE, model: values.model, threads: +(values.threads ?? 2), ...rounds, say });
  },
  chaos: () =>
    benchChaos({
      slide: FIXTURE,
      seeds: +(values.seeds ?? 20),
      first: +values.first,
      hosts: values.hosts,
      ...(values.outage === undefined ? {} : { outage: +values.outage }),
      ...(values.only === undefined ? {} : { only: values.only.split(',') }),
      onProgress: ({ seed, lost, doubled, of, troubles, seconds }) => {
        const what = lost + doubled > 0 ? ` ${JSON.stringify(of)}` : '';
        say(`  seed ${seed}: ${lost} lost, ${doubled} doubled${what}, ${seconds.toFixed(0)} s: ${troubles.join(', ')}`);
      },
    }),
  traces: () => benchTraces({ slide: FIXTURE, rounds: +(values.rounds ?? 15), say }),
  viewers: async () => {
    // Its browser is not among what travels to a machine with a GPU.
    const { benchViewers } = await import('./viewers.mjs');
    return benchViewers({ part: values.part, seconds: +(values.seconds ?? 10), rounds: +(values.rounds ?? 15), say });
  },
  kills: async () => {
    const onProgress = ({ kills, whileScanned, slides, kind }) =>
      say(`  ${kills} kills over ${slides} slides (${kind}), ${whileScanned} of them while a scanner wrote`);
    const asked = ['finished', 'growing'].filter(kind => values[kind]);
    const kinds = asked.length > 0 ? { kinds: asked } : {};
    const { kills, lost, doubled } = await benchKills({ slide: FIXTURE, n: Number(values.n), ...kinds, onProgress });
    return { kills, lost, doubled };
  },
};

const [name = 'ratios'] = positionals;
if (!(name in BENCHES)) {
  console.error(`there is no benchmark ${name}: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
console.log(JSON.stringify(await BENCHES[name]()));
