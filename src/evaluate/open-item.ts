import { StromaflowError } from '../errors.js';
import { IMAGE_KIND, openImageAsSlide, openImageTileSource } from '../slide/image-source.js';
import { openTileSource } from '../slide/open-source.js';
import type { OpenedSlide, SlideInfo, TileSource } from '../slide/slide.js';
import { openAnnotations } from './annotation/source.js';
import type { LabelSource } from './label-source.js';
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
export function openItem(item: LabelledImage, options: OpenItemOptions): Promise<OpenedSlide> {
  const { id, imagePath, kind, mpp } = item;
  if (kind === 'slide') return options.openSlide(imagePath, { id, ...(mpp !== undefined && { mpp }) });
  return openImageAsSlide(imagePath, { id, mpp: mpp ?? 0, spacing: options.spacing });
}

/** Opens the pixels of what `openItem` gave, in the calling thread. */
export async function openPixels({ source }: OpenedSlide): Promise<TileSource> {
  return source.kind === IMAGE_KIND ? openImageTileSource(source) : openTileSource(source);
}

/**
 * Opens an item's truth for the slide `openItem` gave.
 * @throws LABELS_INVALID
 */
export async function openLabels(
  item: Pick<LabelledImage, 'labels'>,
  slide: SlideInfo,
  map: LabelMap,
): Promise<LabelSource> {
  const { kind, path } = item.labels;
  const level = slide.levels[0];
  if (!level) throw new StromaflowError('SLIDE_UNREADABLE', `${slide.path}: it has no level`);
  if (kind === 'mask-image') return maskImageSource(await readMaskImage(path, map), level.width, level.height);
  if (kind === 'mask-tiff') return openMaskTiff(path, map, level.width, level.height);
  return openAnnotations(item.labels, map);
}
