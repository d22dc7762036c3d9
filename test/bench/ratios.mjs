import { benchEfficiency } from './efficiency.mjs';
import { benchRead } from './read.mjs';
import { benchRss } from './rss.mjs';
import { FIXTURE } from './support.mjs';

/** The ratios every change is held to; prints as it goes through `say`. */
export async function benchRatios(say) {
  say('end-to-end ÷ model-only, same engine, batch and threads, interleaved rounds…');
  const efficiency = await benchEfficiency({ slide: FIXTURE, rounds: 3 });
  for (const { pipeline, modelOnly } of efficiency.rounds)
    say(
      `  pipeline ${pipeline.patchesPerSecond.toFixed(3)}   model only ${modelOnly.patchesPerSecond.toFixed(3)} patches/s   ${(modelOnly.seconds / pipeline.seconds).toFixed(3)}; processor ${pipeline.processor.toFixed(3)} and ${modelOnly.processor.toFixed(3)} s a patch`,
    );
  say(
    `  median ${efficiency.ratio.toFixed(3)} (bar ≥ 0.97), by processor time ${efficiency.processorRatio.toFixed(3)}\n`,
  );

  say('patch reading, 512 px, 2 threads, against OpenSlide read_region…');
  const read = await benchRead({ slide: FIXTURE, threads: 2 });
  say(`${speeds(read)} (bar ≥ 4 ×)`);
  const half = await benchRead({ slide: FIXTURE, threads: 2, mpp: 0.25, spacing: 0.5 });
  say(`${speeds(half)} as a slide of 0.25 µm for a model of 0.5\n`);

  say('peak memory on a slide and on one 16 × larger…');
  const rss = await benchRss({ slide: FIXTURE });
  say(
    `  ${mib(rss.small)} and ${mib(rss.large)} MiB   + ${(rss.growth * 100).toFixed(1)} % (bar ≤ 10 %); without a model + ${mib(rss.bareBytes)} MiB\n`,
  );

  return {
    pipelineEfficiency: round(efficiency.ratio),
    pipelineEfficiencyByProcessor: round(efficiency.processorRatio),
    readJpegVsOpenSlide: read.ratio === null ? null : round(read.ratio),
    readHalvedVsOpenSlide: half.ratio === null ? null : round(half.ratio),
    rssGrowth: round(rss.growth),
  };
}

function speeds({ ours, openslide, ratio }) {
  if (ratio === null) return `  ours ${ours.toFixed(0)} Mpx/s; libopenslide is not installed, no ratio`;
  return `  ours ${ours.toFixed(0)}   OpenSlide ${openslide.toFixed(0)} Mpx/s   ${ratio.toFixed(2)} ×`;
}

function mib(bytes) {
  return (bytes / 2 ** 20).toFixed(0);
}
function round(value) {
  return Math.round(value * 1000) / 1000;
}
