import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packBits, popcount, toCoreMask } from '#src/mask/bits.js';
import { clearGlassProbabilities } from '#src/mask/glass.js';
import { createMarks, isMarked, markBlock } from '#src/read/marks.js';
import type { PatchPlan } from '#src/read/patch.js';
import { patchRef } from '#src/read/plan.js';
import { get } from './naive.js';

/** A slide of any size cut into patches of 64 pixels and any margin, one of its patches, tissue anywhere in it. */
const situation = fc
  .record({
    margin: fc.constantFrom(0, 16),
    width: fc.integer({ min: 1, max: 150 }),
    height: fc.integer({ min: 1, max: 150 }),
    bytes: fc.uint8Array({ minLength: 64 * 64, maxLength: 64 * 64 }),
    tissue: fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }),
    at: fc.tuple(fc.nat(), fc.nat()),
  })
  .map(({ margin, width, height, bytes, tissue, at }) => {
    const core = 64 - 2 * margin;
    const [cols, rows] = [Math.ceil(width / core), Math.ceil(height / core)];
    const plan: PatchPlan = {
      ...{
        slide: 's',
        level: 0,
        scale: 1,
        downsample: 1,
        mpp: 0.5,
        patchSize: 64,
        margin,
        padding: 'zero' as const,
        core,
        cols,
        rows,
      },
      ...{ width, height, slideWidth: width, slideHeight: height },
    };
    const blocks = core / 8;
    const marks = createMarks(blocks);
    for (let block = 0; block < blocks * blocks; block++) if (tissue[block]) markBlock(marks, block);
    const [col, row] = [at[0] % cols, at[1] % rows];
    return { plan, blocks, marks, tissue, ref: patchRef(plan, col, row), bits: packBits(bytes, 64, 64) };
  });

it('stroma is what the model predicted in tissue blocks inside the slide; what it predicted elsewhere is counted apart', () => {
  fc.assert(
    fc.property(situation, ({ plan, blocks, marks, tissue, ref, bits }) => {
      const { core, margin } = plan;
      const mask = toCoreMask(bits, plan, ref, [], marks);
      let [inside, outside] = [0, 0];
      for (let y = 0; y < core; y++)
        for (let x = 0; x < core; x++) {
          const valid = ref.col * core + x < plan.width && ref.row * core + y < plan.height;
          const predicted = valid && get(bits, 64, x + margin, y + margin) === 1;
          const isTissue = tissue[Math.floor(y / 8) * blocks + Math.floor(x / 8)] === true;
          if (predicted && isTissue) inside += 1;
          if (predicted && !isTissue) outside += 1;
          expect(get(mask.bits, core, x, y)).toBe(predicted && isTissue ? 1 : 0);
        }
      expect([mask.stromaPixels, mask.outsidePixels]).toEqual([inside, outside]);
      expect(popcount(mask.bits)).toBe(inside);
    }),
    { numRuns: 60 },
  );
});

it('without the filter nothing is cut', () => {
  fc.assert(
    fc.property(situation, ({ plan, ref, bits }) => {
      const { stromaPixels, outsidePixels } = toCoreMask(bits, plan, ref);
      expect(outsidePixels).toBe(0);
      expect(stromaPixels).toBe(popcount(toCoreMask(bits, plan, ref).bits));
    }),
    { numRuns: 20 },
  );
});

it('probabilities of glass are 0, all others as they were, the margin’s too', () => {
  fc.assert(
    fc.property(situation, ({ plan, blocks, marks }) => {
      const { core, margin } = plan;
      const probabilities = new Uint8Array(64 * 64).fill(200);
      clearGlassProbabilities(probabilities, plan, marks);
      for (let y = 0; y < 64; y++)
        for (let x = 0; x < 64; x++) {
          const [cx, cy] = [x - margin, y - margin];
          const isCore = cx >= 0 && cy >= 0 && cx < core && cy < core;
          const kept = !isCore || isMarked(marks, Math.floor(cy / 8) * blocks + Math.floor(cx / 8));
          expect(probabilities[y * 64 + x]).toBe(kept ? 200 : 0);
        }
    }),
    { numRuns: 20 },
  );
});
