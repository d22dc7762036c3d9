import type { PixelRectangle } from '../rectangles.js';

/** Messages between a reader and its OpenSlide process. Pixels go through a shared file. */

export type OpenSlideRequest =
  | { readonly type: 'versions' }
  | { readonly type: 'open'; readonly path: string; readonly generic: boolean }
  | ({ readonly type: 'read' } & LevelRegion);

/** A rectangle of a level: its corner in level-0 pixels, its size in pixels of the level. */
export interface LevelRegion {
  readonly level: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Bytes from one row of RGB to the next. */
  readonly stride: number;
}

export type OpenSlideReply =
  | Versions
  | ({ readonly type: 'opened' } & OpenSlideFacts)
  /** The file is no slide to it; `version` is undefined where the library is not installed. */
  | { readonly type: 'refused'; readonly version?: string; readonly why: string }
  /** `gaps`: where the file stores none. */
  | { readonly type: 'pixels'; readonly gaps: readonly PixelRectangle[] }
  | { readonly type: 'failed'; readonly why: string };

/** Undefined: not installed. */
export interface Versions {
  readonly type: 'versions';
  readonly koffi?: string;
  readonly openslide?: string;
}

/** What OpenSlide says of a slide, as it says it. */
export interface OpenSlideFacts {
  readonly version: string;
  /** By OpenSlide's name for it, such as `mirax`. */
  readonly vendor: string;
  readonly levels: readonly {
    readonly width: number;
    readonly height: number;
    readonly downsample: number;
    readonly tileWidth?: string;
    readonly tileHeight?: string;
  }[];
  /** Only those of PROPERTIES that the slide has. */
  readonly properties: Readonly<Partial<Record<(typeof PROPERTIES)[number], string>>>;
}

/** Facts of the acquisition; nothing else of a slide leaves its process. */
export const PROPERTIES = [
  'openslide.mpp-x',
  'openslide.mpp-y',
  'openslide.objective-power',
  'openslide.bounds-x',
  'openslide.bounds-y',
  'openslide.bounds-width',
  'openslide.bounds-height',
  'tiff.XResolution',
  'tiff.YResolution',
  'tiff.ResolutionUnit',
] as const;

/** Number of the shared file's descriptor in the process: after the three standard streams and the channel. */
export const PIXELS_FD = 4;
