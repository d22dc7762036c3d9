import { StromaflowError } from '../errors.js';
import type { SlideNote } from './note.js';
import { askOpenSlide } from './openslide/ask-openslide.js';
import { noted, withRefusal } from './openslide/instead.js';
import type { OpenedSlide } from './slide.js';
import type { SlideFacts } from './slide-facts.js';
import { tryTiles, type UnreadLevels } from './try-tiles.js';

/**
 * Tries tiles of a slide that was opened by what its file says of itself. Levels that its reader does not read are left out; where
 * that is the finest, OpenSlide takes the slide if it is installed and reads it.
 *
 * @param facts what `opened` was made of; `settle` makes it of others.
 * @throws SLIDE_UNSUPPORTED, once for the slide; OPENSLIDE_FAILED; the signal's reason.
 */
export async function whoeverReads(
  opened: OpenedSlide,
  facts: SlideFacts,
  settle: (facts: SlideFacts) => OpenedSlide,
  signal: AbortSignal | undefined,
): Promise<OpenedSlide> {
  const unread = await trial(opened, signal);
  const worst = unread.get(0);
  if (!worst) return withoutLevels(opened, unread);
  const { path } = opened.info;
  const refused = new StromaflowError('SLIDE_UNSUPPORTED', `${worst.message}, and so do the others that were tried`);
  if (opened.source.kind === 'openslide') throw refused;
  const answer = await askOpenSlide(path, { generic: true, signal });
  if (!('levels' in answer)) throw withRefusal(refused, answer);
  const why = /tile \(\d+, \d+\) of level .*/.exec(worst.message)?.[0] ?? 'its tiles';
  const spacing = answer.mpp === undefined ? { mpp: facts.mpp } : {};
  const theirs = settle({ ...noted(answer, why), ...spacing });
  const neither = (await trial(theirs, signal)).get(0);
  if (!neither) return theirs;
  const { reader = 'OpenSlide' } = answer.properties;
  throw new StromaflowError('SLIDE_UNSUPPORTED', `${refused.message}; ${reader} neither: ${neither.message}`);
}

const trial = ({ info, source }: OpenedSlide, signal: AbortSignal | undefined): Promise<UnreadLevels> =>
  tryTiles(source, info.levels, info.bounds, signal);

function withoutLevels(opened: OpenedSlide, unread: UnreadLevels): OpenedSlide {
  if (unread.size === 0) return opened;
  const { info, source, stored } = opened;
  const kept = info.levels.flatMap((_, level) => (unread.has(level) ? [] : [level]));
  const notes = [...unread].map(([level, { message }]): SlideNote => {
    const { width, height } = info.levels[level]!;
    const why = /tile \(\d+, \d+\) of level .*/.exec(message)?.[0] ?? 'its tiles';
    return {
      code: 'level-left-out',
      message: `the level of ${width} × ${height} pixels is left out: ${why}, and so do the others that were tried`,
    };
  });
  const levels = source['levels'] as readonly unknown[];
  return {
    info: { ...info, levels: kept.map(level => info.levels[level]!), notes: [...(info.notes ?? []), ...notes] },
    source: { ...source, levels: kept.map(level => levels[level]) },
    ...(stored ? { stored: (level: number) => stored(kept[level]!) } : {}),
  };
}
