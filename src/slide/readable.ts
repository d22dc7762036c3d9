import { SAMPLES_FIX } from '../codec/image/sample-format.js';
import { StromaflowError } from '../errors.js';
import { GREY_NOTE, type SlideNote } from './note.js';
import { askOpenSlide } from './openslide/ask-openslide.js';
import { type FactsInstead, insteadOf, withRefusal } from './openslide/instead.js';
import { splitScene } from './scene-path.js';
import type { OpenedSlide } from './slide.js';
import type { SlideFacts } from './slide-facts.js';
import { TILE_FOLDER_KIND } from './tile-folder/tile-set.js';
import { bySize, tryTiles, type UnreadLevels } from './try-tiles.js';

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
  const { unread, grey, unlike } = await tryTiles(source, info.levels, info.bounds, signal);
  const worst = unread.get(0);
  if (!worst) return withGrey(withoutLevels(opened, leftOut(opened, unread, unlike)), grey);
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
  const { unread, grey, unlike } = await tryTiles(source, info.levels, info.bounds, signal);
  const worst = unread.get(0);
  if (worst) throw new StromaflowError('SLIDE_UNSUPPORTED', `${info.path}: ${problemOf(worst)}`);
  return withGrey(withoutLevels(opened, leftOut(opened, unread, unlike)), grey);
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

/**
 * A slide whose tiles cannot be tried yet, without the levels that nothing but their size says to be one.
 */
export const withoutDoubted = (opened: OpenedSlide): OpenedSlide => {
  const doubted = bySize(opened.source).map(level => [level, 'untried'] as const);
  return withoutLevels(opened, leftOut(opened, new Map(), new Map(doubted)));
};

/** What is said of levels that are left out. */
function leftOut(
  { info }: OpenedSlide,
  unread: UnreadLevels,
  unlike: ReadonlyMap<number, keyof typeof UNLIKE>,
): ReadonlyMap<number, SlideNote> {
  const sized = (level: number) => `of ${info.levels[level]!.width} × ${info.levels[level]!.height} pixels`;
  return new Map([
    ...[...unread].map(([level, error]): [number, SlideNote] => [
      level,
      { code: 'level-left-out', message: `the level ${sized(level)} is left out: ${problemOf(error)}` },
    ]),
    ...[...unlike].map(([level, why]): [number, SlideNote] => [
      level,
      {
        code: 'image-left-out',
        message: `the image ${sized(level)} is left out, finer ones are read instead: the file does not call it a reduced copy, and ${UNLIKE[why]}`,
      },
    ]),
  ]);
}

const UNLIKE = {
  other: 'it shows something else than the slide',
  flat: 'what it shows tells nothing, as far as it was looked at',
  untried: 'what it shows is not known while the file grows',
} as const;

function withoutLevels(opened: OpenedSlide, without: ReadonlyMap<number, SlideNote>): OpenedSlide {
  if (without.size === 0) return opened;
  const { info, source, stored } = opened;
  const kept = info.levels.flatMap((_, level) => (without.has(level) ? [] : [level]));
  const notes = [...without.values()];
  const levels = source['levels'] as readonly unknown[];
  return {
    info: { ...info, levels: kept.map(level => info.levels[level]!), notes: [...(info.notes ?? []), ...notes] },
    source: { ...source, levels: kept.map(level => levels[level]) },
    ...(stored ? { stored: (level: number) => stored(kept[level]!) } : {}),
  };
}
