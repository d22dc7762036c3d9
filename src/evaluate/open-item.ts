import { StromaflowError } from '../errors.js';
import { IMAGE_KIND, openImageAsSlide, openImageTileSource } from '../slide/image/image-source.js';
import { openTileSource } from '../slide/open-source.js';
import type { OpenedSlide, SlideInfo, TileSource } from '../slide/slide.js';
import { openAnnotations } from './annotation/source.js';
import type { LabelFrame, LabelReading, LabelSource } from './label-source.js';
import type { LabelledImage } from './labelled-item.js';
import type { LabelMap } from './labels.js';
import { maskImageSource, readMaskImage } from './mask-image.js';
import { openMaskTiff } from './mask-tiff.js';

export interface OpenItemOptions {
  /** Spacing the model wants, µm/px: images at another spacing are resampled to it. */
  readonly spacing: number;
  /** Opens whole-slide formats. */
  readonly openSlide: (path: string, options: { mpp?: number; id: string }) => Promise<OpenedSlide>;
}

/** Opens an item's pixels, image or slide alike. Throws what openImageAsSlide and openSlide throw. */
export function openItem(
  item: Pick<LabelledImage, 'id' | 'imagePath' | 'kind' | 'mpp'>,
  options: OpenItemOptions,
): Promise<OpenedSlide> {
  const { id, imagePath, kind, mpp } = item;
  if (kind === 'slide') return options.openSlide(imagePath, { id, ...(mpp !== undefined && { mpp }) });
  return openImageAsSlide(imagePath, { id, mpp: mpp ?? 0, spacing: options.spacing });
}

/** Opens the pixels of what `openItem` gave, in the calling thread. */
export async function openPixels({ source }: OpenedSlide): Promise<TileSource> {
  return source.kind === IMAGE_KIND ? openImageTileSource(source) : openTileSource(source);
}

/** An item as far as its truth is concerned; a slide measures itself. */
export type ItemLabels = Pick<LabelledImage, 'labels'> &
  Partial<Pick<LabelledImage, 'kind' | 'width' | 'height' | 'mpp'>>;

/**
 * Opens an item's truth for the slide `openItem` gave.
 * @throws LABELS_INVALID
 */
export async function openLabels(
  item: ItemLabels,
  slide: SlideInfo,
  map: LabelMap,
  reading: LabelReading = {},
): Promise<LabelSource> {
  const { kind, path } = item.labels;
  const frame = frameOf(item, slide);
  if (kind === 'mask-image') return maskImageSource(await readMaskImage(path, map), frame, reading);
  if (kind === 'mask-tiff') return openMaskTiff(path, map, frame, reading);
  return openAnnotations(path, map, frame, reading);
}

/** Labels of an image belong to its file's pixels, whatever it is resampled to when it is opened; those of a slide to level 0. */
function frameOf({ kind, width = 0, height = 0, mpp }: ItemLabels, slide: SlideInfo): LabelFrame {
  const level = slide.levels[0];
  if (!level) throw new StromaflowError('SLIDE_UNREADABLE', `${slide.path}: it has no level`);
  if (kind === 'image') {
    const perPixel = { x: width / level.width, y: height / level.height };
    return { width, height, perPixel, ...(mpp !== undefined && { spacing: { x: mpp, y: mpp } }) };
  }
  const { axes, bounds } = slide;
  return {
    width: level.width,
    height: level.height,
    spacing: axes ?? { x: slide.mpp, y: slide.mpp },
    ...(bounds && { bounds }),
  };
}
