import { StromaflowError } from '../errors.js';
import { GREY_NOTE, type SlideNote } from './note.js';
import { askOpenSlide } from './openslide/ask-openslide.js';
import { type FactsInstead, insteadOf, withRefusal } from './openslide/instead.js';
import { SAMPLES_FIX } from './sample-format.js';
import { splitScene } from './scene-path.js';
import type { OpenedSlide } from './slide.js';
import type { SlideFacts } from './slide-facts.js';
import { TILE_FOLDER_KIND } from './tile-folder/tile-set.js';
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
  facts: SlideFacts | FactsInstead,
  settle: (facts: SlideFacts) => OpenedSlide,
  signal: AbortSignal | undefined,
): Promise<OpenedSlide> {
  const { info, source } = opened;
  const { unread, grey } = await tryTiles(source, info.levels, info.bounds, signal);
  const worst = unread.get(0);
  if (!worst) return withGrey(withoutLevels(opened, unread), grey);
  const problem = problemOf(worst);
  if (source.kind === 'openslide') {
    const reader = `${facts.properties['reader'] ?? 'OpenSlide'} cannot read it: ${problem}`;
    const ours = 'ours' in facts ? `${facts.ours}; ` : '';
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${info.path}: ${ours}${reader}`);
  }
  const isFolder = source.kind === TILE_FOLDER_KIND;
  const fix = isFolder ? { fix: SAMPLES_FIX } : {};
  const refused = new StromaflowError('SLIDE_UNSUPPORTED', `${info.path}: ${problem}`, fix);
  // OpenSlide knows one image of a file, and no folders of tiles.
  if (isFolder || splitScene(info.path).scene !== undefined) throw refused;
  const answer = await askOpenSlide(info.path, { generic: true, signal });
  if (!('levels' in answer)) throw withRefusal(refused, answer);
  const theirs = insteadOf({ ...answer, mpp: answer.mpp ?? facts.mpp }, problem);
  return whoeverReads(settle(theirs), theirs, settle, signal);
}

/**
 * The same where nobody else is asked.
 *
 * @throws SLIDE_UNSUPPORTED; the signal's reason.
 */
export async function readHere(opened: OpenedSlide, signal: AbortSignal | undefined): Promise<OpenedSlide> {
  const { info, source } = opened;
  const { unread, grey } = await tryTiles(source, info.levels, info.bounds, signal);
  const worst = unread.get(0);
  if (worst) throw new StromaflowError('SLIDE_UNSUPPORTED', `${info.path}: ${problemOf(worst)}`);
  return withGrey(withoutLevels(opened, unread), grey);
}

const problemOf = (error: StromaflowError): string => `${tileOf(error)}, and so do the others that were tried`;

/** The part of a tile's error behind the file's name. */
const tileOf = ({ message }: StromaflowError): string => /tile \(\d+, \d+\) of level .*/.exec(message)?.[0] ?? message;

/** Three equal channels are grey, whatever the file calls them. */
function withGrey(opened: OpenedSlide, grey: boolean): OpenedSlide {
  const notes = opened.info.notes ?? [];
  if (!grey || notes.some(({ code }) => code === 'grey')) return opened;
  return { ...opened, info: { ...opened.info, notes: [...notes, GREY_NOTE] } };
}

function withoutLevels(opened: OpenedSlide, unread: UnreadLevels): OpenedSlide {
  if (unread.size === 0) return opened;
  const { info, source, stored } = opened;
  const kept = info.levels.flatMap((_, level) => (unread.has(level) ? [] : [level]));
  const notes = [...unread].map(([level, error]): SlideNote => {
    const { width, height } = info.levels[level]!;
    return {
      code: 'level-left-out',
      message: `the level of ${width} × ${height} pixels is left out: ${problemOf(error)}`,
    };
  });
  const levels = source['levels'] as readonly unknown[];
  return {
    info: { ...info, levels: kept.map(level => info.levels[level]!), notes: [...(info.notes ?? []), ...notes] },
    source: { ...source, levels: kept.map(level => levels[level]) },
    ...(stored ? { stored: (level: number) => stored(kept[level]!) } : {}),
  };
}
