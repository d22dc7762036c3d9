import type { Arena } from '../src/arena.js';
import { duePatches, type ReadyPatch } from '../src/live/due-patches.js';
import { isFull, isWhole } from '../src/read/full-patch.js';
import type { PatchPlan, PatchRef } from '../src/read/patch.js';
import { patchRefs } from '../src/read/plan.js';
import { DEFAULT_TISSUE_RULE } from '../src/read/tissue.js';
import type { OpenedSlide } from '../src/slide/slide.js';
import { type ReadFrom, readWhenThere } from '../src/stage/read.js';
import type { SlideTask } from './slide-task.js';
import { folderOf } from './source-folder.js';
import type { ModelParts } from './taken-model.js';

/** What of a slide was looked at before its session began. */
export interface LookedAt {
  /** patchSize² × 3 bytes RGB each, as many as were wanted or as there are. */
  readonly pixels: readonly Uint8Array<ArrayBuffer>[];
  /** Of a growing slide: the patches that were looked at and those that follow, until the signal aborts. */
  readonly ready?: (stop: AbortSignal) => AsyncIterable<ReadyPatch>;
  /** Where nobody takes those. */
  close(): void;
}

/**
 * The first patches of a slide's grid that are tissue throughout: row by row of a slide that is whole, of a growing one in the order in
 * which they are there, waiting for them. Ends with fewer when the slide does. Throws the signal's reason, or what the reader throws when
 * it is opened; a patch that cannot be read is none.
 */
export async function firstFullPatches(
  slide: OpenedSlide,
  plan: PatchPlan,
  task: SlideTask,
  {
    readers,
    credits,
    tissueRule,
    arena,
  }: Pick<ModelParts, 'readers' | 'credits' | 'tissueRule'> & { readonly arena: Arena },
  most: number,
  signal: AbortSignal,
): Promise<LookedAt> {
  const { live } = task;
  const { info } = slide;
  const over = new AbortController();
  const growing = live && duePatches(live, plan, AbortSignal.any([signal, over.signal]));
  const seen: ReadyPatch[] = [];
  const close = (): void => over.abort();
  const reader = await readers.open(live ? { info, source: live.sourceFor(plan.level) } : slide, plan, tissueRule);
  const from: ReadFrom = { reader, slide: info, failure: undefined, folder: undefined, ...folderOf(task) };
  const pixels: Uint8Array<ArrayBuffer>[] = [];

  const look = async (ref: PatchRef): Promise<void> => {
    if (!isWhole(plan, ref)) return;
    const slot = await credits.acquire(signal);
    if (slot === undefined) throw signal.reason;
    try {
      const { outcome } = await readWhenThere(from, { ref, slot }, signal);
      const patch = outcome === 'tissue' ? new Uint8Array(arena.slot(slot)) : undefined;
      if (patch && isFull(patch, plan.patchSize, tissueRule ?? DEFAULT_TISSUE_RULE)) pixels.push(patch);
    } catch {
      // The session meets it again, and says so.
      signal.throwIfAborted();
    } finally {
      credits.release(slot);
    }
  };

  try {
    if (growing)
      while (pixels.length < most) {
        const next = await growing.next();
        if (next.done) break;
        seen.push(next.value);
        await look(next.value.ref);
      }
    else
      for (const ref of patchRefs(plan)) {
        if (pixels.length >= most || task.whole?.replaced.aborted) break;
        await look(ref);
      }
    signal.throwIfAborted();
  } catch (error) {
    close();
    throw error;
  } finally {
    await reader.close();
  }
  if (!growing) return { pixels, close };
  const ready = async function* (stop: AbortSignal) {
    stop.addEventListener('abort', close, { once: true });
    yield* seen.splice(0);
    yield* growing;
  };
  return { pixels, ready, close };
}
