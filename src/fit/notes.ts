import type { NormMode } from '../model/norm/statistics.js';
import type { SlideNote } from '../slide/note.js';
import type { FitFacts } from './fit-store.js';

/** How the norms of a slide's model were fitted; `scanner` where its slides are fitted together. */
export function fittedNote(
  { own, error, slides }: Pick<FitFacts, 'own' | 'error' | 'slides'>,
  scanner?: string,
): SlideNote {
  const within = error === null ? '' : `, within ${(error * 100).toFixed(1)} % of a standard deviation`;
  const first = `its first ${own} patches that are tissue throughout${within}`;
  if (scanner === undefined) return note(`norms are fitted to this slide by ${first}`);
  const together = `norms are fitted to scanner ${scanner} by ${slides} ${slides === 1 ? 'slide' : 'slides'}`;
  return note(
    `${together}, ${own === 0 ? 'this one not among them: it has too little tissue' : `this one by ${first}`}`,
  );
}

/** Why a slide's model runs as it would without a fit. */
export function unfittedNote(found: number, least: number, norm: NormMode): SlideNote {
  const how = norm === 'frozen' ? 'the statistics of its bundle' : "each patch's own statistics";
  const few = `${found} ${found === 1 ? 'patch is' : 'patches are'} tissue throughout, ${least} are the least`;
  return note(`norms are not fitted to this slide: ${few}; the model runs by ${how}`);
}

const note = (message: string): SlideNote => ({ code: 'norms', message });
