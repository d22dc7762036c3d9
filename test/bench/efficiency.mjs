import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { makeLargeSlide } from './large-slide.mjs';
import { configWith, median, withFolder } from './support.mjs';

/**
 * End-to-end patches/s (open, read, filter, segment, write, publish, ledger) against the same engine on the same patches
 * already in memory: same batch, same threads, rounds interleaved so that a noisy machine disturbs both alike.
 */
export function benchEfficiency({ slide: small, rounds, times = 2, options = {} }) {
  return withFolder(async folder => {
    // Several times the fixture: opening and finishing a slide cost the same whether it has thirty patches or thousands.
    const slide = join(folder, 'slide.tif');
    await makeLargeSlide(small, slide, times);
    const config = await configWith({ out: folder, 'keep-empty': true, ...options });
    const parts = await openParts(config);
    try {
      const measured = [];
      for (let round = 0; round < rounds; round += 1) {
        measured.push({ modelOnly: await modelOnly(parts, slide), pipeline: await pipeline(parts, slide, round) });
      }
      const ratio = median(measured.map(m => m.pipeline)) / median(measured.map(m => m.modelOnly));
      return { rounds: measured, ratio };
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
  const startedAt = performance.now();
  for (let done = 0; done < refs.length; done += batch) {
    await segmenter.segment(slots.slice(0, Math.min(batch, refs.length - done)));
  }
  return refs.length / ((performance.now() - startedAt) / 1000);
}

async function pipeline(parts, path, round) {
  const signal = new AbortController().signal;
  const task = { path, id: `round-${round}`, open: () => openSlide(path, { id: `round-${round}`, signal }) };
  const startedAt = performance.now();
  const result = await lastValueFrom(segmentSlides(of(task), parts, signal));
  const seconds = (performance.now() - startedAt) / 1000;
  if (result.state !== 'completed')
    throw new Error(`the bench's slide ended as ${result.state}`, { cause: result.error });
  return result.summary.patches.expected / seconds;
}
