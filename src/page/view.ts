import type { OsdViewer } from './osd.js';

/** Where the slide lies on the screen: screen = (level-0 pixel − left, top) × scale. CSS pixels. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly scale: number;
  readonly width: number;
  readonly height: number;
}

/** OpenSeadragon counts in widths of the image. */
export function viewOf({ viewport }: OsdViewer, imageWidth: number, width: number, height: number): View {
  const bounds = viewport.getBounds(true);
  return {
    ...{ left: bounds.x * imageWidth, top: bounds.y * imageWidth },
    ...{ scale: width / (bounds.width * imageWidth), width, height },
  };
}
