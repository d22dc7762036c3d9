/** What the page uses of OpenSeadragon 6, which index.html loads. */

export interface Point {
  x: number;
  y: number;
}

export interface OsdTile {
  readonly level: number;
  readonly x: number;
  readonly y: number;
  getUrl(): string;
}

interface TiledImage {
  requestInvalidate(restore: boolean, viewportOnly: boolean): Promise<unknown>;
}

export interface OsdViewer {
  readonly viewport: {
    getBounds(current: boolean): { x: number; y: number; width: number; height: number };
    getZoom(current: boolean): number;
    zoomBy(factor: number): void;
    zoomTo(zoom: number, at?: Point | null, immediately?: boolean): void;
    panTo(to: Point, immediately?: boolean): void;
    applyConstraints(): void;
    goHome(immediately?: boolean): void;
  };
  readonly world: { getItemAt(index: number): TiledImage | undefined };
  readonly drawer: { readonly canvas: HTMLCanvasElement };
  readonly canvas: HTMLElement;
  addHandler(
    event: 'open' | 'update-viewport' | 'animation-finish' | 'resize' | 'canvas-drag',
    handler: () => void,
  ): void;
  addHandler(event: 'tile-loaded', handler: (event: { tile: OsdTile }) => void): void;
  addHandler(event: 'tile-invalidated', handler: (event: TileInvalidated) => Promise<void>): void;
  setMouseNavEnabled(enabled: boolean): void;
  destroy(): void;
}

export interface TileInvalidated {
  readonly tile: OsdTile;
  setData(data: Blob, type: 'rasterBlob'): Promise<void>;
}

interface Library {
  (options: Record<string, unknown>): OsdViewer;
  readonly Point: new (x: number, y: number) => Point;
}

export const library = (): Library => (globalThis as unknown as { OpenSeadragon: Library }).OpenSeadragon;
