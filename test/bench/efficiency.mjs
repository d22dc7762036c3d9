import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { makeLargeSlide } from './large-slide.mjs';
import { processorSeconds } from './processor.mjs';
import { configWith, median, withFolder } from './support.mjs';

/**
 * End-to-end patches/s (open, read, filter, segment, write, publish, ledger) against the same engine on the same patches
 * already in memory: same batch, same threads, in pairs so that a noisy machine disturbs both alike. A first pair, not counted, makes code and threads
 * warm. The processor's time, of the engine's process too, stands beside the clock's.
 *
 * @returns the rounds, and the medians of their ratios: model's ÷ pipeline's seconds, and processor seconds
 */
export function benchEfficiency({ slide: small, rounds, times = 2, options = {} }) {
  return withFolder(async folder => {
    // Several times the fixture: opening and finishing a slide cost the same whether it has thirty patches or thousands.
    const slide = join(folder, 'slide.tif');
    await makeLargeSlide(small, slide, times);
    const config = await configWith({ out: folder, 'keep-empty': true, ...options });
    const parts = await openParts(config);
    try {
      await modelOnly(parts, small);
      await pipeline(parts, small, 'warm');
      const measured = [];
      for (let round = 0; round < rounds; round += 1) {
        const ways = { modelOnly: () => modelOnly(parts, slide), pipeline: () => pipeline(parts, slide, round) };
        const row = {};
        // Each goes first every other time.
        for (const way of round % 2 === 0 ? ['modelOnly', 'pipeline'] : ['pipeline', 'modelOnly'])
          row[way] = await ways[way]();
        measured.push(row);
      }
      const ratioOf = what => median(measured.map(m => m.modelOnly[what] / m.pipeline[what]));
      return { rounds: measured, ratio: ratioOf('seconds'), processorRatio: ratioOf('processor') };
    } finally {
      await parts.close();
    }
  });
}

async function modelOnly({ models, readers }, path) {
  const { segmenter, model } = models.current;
  const slide = await openSlide(path);
  const plan = planPatches(slide.info, { spacing: model.spacing, patchSize: model.patchSize });
  const refs = [...patchRefs(plan)];
  const { batch } = segmenter.info;
  const slots = Array.from({ length: batch }, (_, index) => index);
  const reader = await readers.open(slide, plan, null);
  for (const slot of slots) await reader.read(refs[slot], slot);
  await reader.close();
  return timed(async () => {
    for (let done = 0; done < refs.length; done += batch)
      await segmenter.segment(slots.slice(0, Math.min(batch, refs.length - done)));
    return refs.length;
  });
}

async function pipeline(parts, path, round) {
  const signal = new AbortController().signal;
  const task = { path, id: `round-${round}`, open: () => openSlide(path, { id: `round-${round}`, signal }) };
  return timed(async () => {
    const result = await lastValueFrom(segmentSlides(of(task), parts, signal));
    if (result.state !== 'completed')
      throw new Error(`the bench's slide ended as ${result.state}`, { cause: result.error });
    return result.summary.patches.expected;
  });
}

/** Seconds a patch, by the clock and by the processor. */
async function timed(work) {
  const [clock, processor] = [performance.now(), processorSeconds()];
  const patches = await work();
  const seconds = (performance.now() - clock) / 1000;
  return {
    patchesPerSecond: patches / seconds,
    seconds: seconds / patches,
    processor: (processorSeconds() - processor) / patches,
  };
}
