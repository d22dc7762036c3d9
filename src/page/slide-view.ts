import { AboveThreshold } from './above-threshold.js';
import { bytesOf, type Changes, type Slide, type Status, slideUrl } from './api.js';
import { drawFacts, drawNotes, drawTitle } from './facts.js';
import { byId, length, roundDown } from './format.js';
import { Measure } from './measure.js';
import { library, type OsdViewer } from './osd.js';
import { PatchGrid } from './patch-grid.js';
import { drawPatterns } from './patterns.js';
import { LivePicture, pictureSource } from './picture.js';
import { saveAs, snapshotOf } from './snapshot.js';
import { type MaskShape, TileLayer } from './tile-layer.js';
import { Tools } from './tools.js';
import { type View, viewOf } from './view.js';

/** An open slide of which nothing comes says so, though no event does. */
const TITLE_MS = 5000;
/** Longest part of the view that the scale bar takes. */
const BAR_SHARE = 0.25;

/** One slide on the screen: OpenSeadragon has the picture and the hand, a canvas above it the mask and all else. */
export class SlideView {
  readonly #slide: Slide;
  readonly #overlay = byId<HTMLCanvasElement>('overlay');
  readonly #over = new AbortController();
  readonly #viewer: OsdViewer | undefined;
  readonly #patches: PatchGrid | undefined;
  readonly #mask: TileLayer | undefined;
  readonly #probabilities: TileLayer | undefined;
  readonly #above: AboveThreshold | undefined;
  readonly #picture: LivePicture | undefined;
  readonly #measure: Measure;
  readonly #tools: Tools;
  readonly #events: EventSource;
  #status: Status;
  #frame = 0;
  #frames = 0;
  readonly #title: number;
  /** Of the overlay: asking the browser for it at every frame would make it lay out the page. */
  #size: { readonly width: number; readonly height: number };
  /** The view that is on the canvas. */
  #drawn = '';

  /** @param restart called when everything must be asked for anew. */
  constructor(slide: Slide, restart: () => void) {
    this.#slide = slide;
    this.#status = slide;
    this.#size = sizeOf(this.#overlay);
    const { shape, mask, probability, codes } = slide;
    this.#measure = new Measure(shape?.mpp ?? 1);
    this.#tools = new Tools(
      this.#over.signal,
      {
        changed: () => this.#restyle(),
        zoom: factor => {
          this.#viewer?.viewport.zoomBy(factor);
          this.#viewer?.viewport.applyConstraints();
        },
        home: () => this.#viewer?.viewport.goHome(),
        measure: on => {
          this.#measure.on = on;
          this.#overlay.classList.toggle('measuring', on);
          this.redraw();
        },
        mark: () => {
          const { view } = this;
          if (!view) return;
          this.#measure.mark({
            x: view.left + view.width / 2 / view.scale,
            y: view.top + view.height / 2 / view.scale,
          });
          this.redraw();
        },
        snapshot: () => void this.snapshot().then(blob => saveAs(`${slide.slide}.png`, blob)),
      },
      probability?.threshold,
    );
    drawTitle(slide);
    drawNotes(slide, this.#isPictured);
    // Of what could not be opened there is nothing to look at, and no tool for it.
    for (const id of ['stage', 'tools']) byId(id).hidden = shape === null;
    if (shape && codes !== null) this.#patches = new PatchGrid(shape.grid, bytesOf(codes));
    // Before the picture, which fits itself into the room that is left.
    drawFacts(slide, this.#patches);
    if (shape) {
      if (mask && this.#patches) this.#mask = this.#layer('mask', mask, this.#patches);
      if (mask && probability && this.#patches) {
        this.#probabilities = this.#layer('probability', mask, this.#patches);
        this.#above = new AboveThreshold(probability.threshold, () => this.#areaAbove());
      }
      this.#viewer = this.#open();
      if (this.#viewer && this.#patches) this.#picture = new LivePicture(this.#viewer, this.#patches, slide);
      this.#listenToPointer();
    }
    this.#events = new EventSource(slideUrl(slide.slide, `/events?after=${encodeURIComponent(slide.position)}`));
    this.#events.addEventListener('slide', ({ data }) => this.#take(JSON.parse(data) as Status));
    this.#events.addEventListener('patches', ({ data }) => this.#change(JSON.parse(data) as Changes));
    this.#events.addEventListener('reset', restart);
    this.#resize.observe(byId('stage'));
    this.#title = window.setInterval(() => drawTitle(this.#status), TITLE_MS);
    this.redraw();
  }

  /** Of what was never opened there is nothing to say. */
  get #isPictured(): boolean {
    return this.#slide.picture !== null || this.#slide.shape === null;
  }

  readonly #resize = new ResizeObserver(() => {
    this.#size = sizeOf(this.#overlay);
    this.redraw();
  });

  /** Frames that were drawn. */
  get frames(): number {
    return this.#frames;
  }

  get settled(): boolean {
    return this.#layers.every(layer => layer.settled) && this.#frame === 0;
  }

  get viewer(): OsdViewer | undefined {
    return this.#viewer;
  }

  get view(): View | undefined {
    const { shape } = this.#slide;
    const { width, height } = this.#size;
    if (!shape || !this.#viewer || width === 0) return undefined;
    return viewOf(this.#viewer, shape.width, width, height);
  }

  get #layers(): TileLayer[] {
    return [this.#mask, this.#probabilities].filter(layer => layer !== undefined);
  }

  #layer(shows: 'mask' | 'probability', shape: MaskShape, patches: PatchGrid): TileLayer {
    return new TileLayer(this.#slide.slide, shows, shape, patches, this.#tools.style, () => this.redraw());
  }

  /** Draws at the next frame. */
  redraw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** The picture and what lies over it, as they are shown. */
  snapshot(): Promise<Blob> {
    return snapshotOf(this.#overlay, this.#viewer?.drawer.canvas);
  }

  close(): void {
    this.#over.abort();
    this.#events.close();
    this.#resize.disconnect();
    for (const layer of this.#layers) layer.close();
    this.#above?.close();
    clearInterval(this.#title);
    this.#viewer?.destroy();
    cancelAnimationFrame(this.#frame);
    this.#overlay.getContext('2d')!.clearRect(0, 0, this.#overlay.width, this.#overlay.height);
  }

  #open(): OsdViewer {
    const viewer = library()({
      id: 'picture',
      drawer: 'canvas',
      showNavigationControl: false,
      tileSources: pictureSource(this.#slide),
      animationTime: 0.4,
      maxZoomPixelRatio: 8,
      visibilityRatio: 0.2,
      // What fails, as a damaged tile or a slide that was moved away does, stays empty; the page says nothing at the console.
      tileRetryMax: 1,
      // Whole pixels at every zoom, so that no seam shows between tiles.
      subPixelRoundingForTransparency: 2,
      gestureSettingsMouse: { clickToZoom: false },
    });
    viewer.canvas.setAttribute('role', 'application');
    viewer.canvas.setAttribute(
      'aria-label',
      `Slide ${this.#slide.slide}: arrow keys move, + and − zoom, 0 shows it whole`,
    );
    // OpenSeadragon goes on telling of updates where a tile cannot be had; only what moved is drawn again.
    for (const event of ['open', 'update-viewport', 'animation-finish', 'resize'] as const)
      viewer.addHandler(event, () => this.#moved());
    viewer.addHandler('canvas-drag', () => this.#tools.unfollow());
    return viewer;
  }

  #listenToPointer(): void {
    const { signal } = this.#over;
    const place = (event: PointerEvent) => {
      const view = this.view!;
      return { x: view.left + event.offsetX / view.scale, y: view.top + event.offsetY / view.scale };
    };
    const on = (name: 'pointerdown' | 'pointermove', act: (event: PointerEvent) => void) =>
      this.#overlay.addEventListener(name, act, { signal });
    on('pointerdown', event => {
      this.#overlay.setPointerCapture(event.pointerId);
      this.#measure.start(place(event));
      this.redraw();
    });
    on('pointermove', event => {
      if (event.buttons === 0) return;
      this.#measure.end(place(event));
      this.redraw();
    });
  }

  #moved(): void {
    const { view } = this;
    if (view && JSON.stringify(view) !== this.#drawn) this.redraw();
  }

  #restyle(): void {
    for (const layer of this.#layers) layer.style = this.#tools.style;
    this.redraw();
  }

  #take(status: Status): void {
    this.#status = status;
    drawTitle(status);
    drawNotes(status, this.#isPictured);
    drawFacts(status, this.#patches);
  }

  #change({ patches, masks }: Changes): void {
    if (!this.#patches) return;
    for (const [col, row, code] of patches) {
      this.#patches.set(col, row, code);
      for (const layer of this.#layers) layer.touch(col, row);
    }
    for (const [col, row, bits] of masks) this.#mask?.thumbnail(col, row, bytesOf(bits));
    this.#picture?.changed();
    const newest = patches.at(-1);
    if (newest && this.#tools.following) this.#goTo(newest[0], newest[1]);
    drawFacts(this.#status, this.#patches);
    this.redraw();
  }

  #goTo(col: number, row: number): void {
    const { grid, width } = this.#slide.shape!;
    const pitch = grid.side * grid.downsample;
    const Point = library().Point;
    this.#viewer?.viewport.panTo(new Point(((col + 0.5) * pitch) / width, ((row + 0.5) * pitch) / width));
  }

  #draw(): void {
    const { view } = this;
    if (!view) return;
    this.#frames += 1;
    this.#drawn = JSON.stringify(view);
    const canvas = this.#overlay;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const ctx = canvas.getContext('2d')!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, view.width, view.height);
    if (this.#patches && this.#tools.patterns) drawPatterns(ctx, this.#patches, view, this.#slide.shape!);
    for (const layer of this.#layers) layer.draw(ctx, view, ratio);
    this.#countAbove();
    this.#measure.draw(ctx, view);
    byId('hint').textContent = this.#measure.text;
    this.#drawScale(view);
  }

  #countAbove(): void {
    const { shape, threshold } = this.#tools.style;
    const isShown = this.#above !== undefined && shape === 'probability';
    byId('cut').hidden = !isShown;
    if (isShown) this.#above.drawn(threshold, this.#drawn);
    else this.#above?.close();
  }

  /** mm² in view of probabilities above the threshold. */
  #areaAbove(): number | undefined {
    const { view } = this;
    const pixels = view && this.#probabilities?.above(view, devicePixelRatio);
    const { mpp, grid } = this.#slide.shape!;
    return pixels === undefined ? undefined : pixels * ((mpp * grid.downsample) / 1000) ** 2;
  }

  #drawScale(view: View): void {
    const { mpp } = this.#slide.shape!;
    const um = roundDown((view.width * BAR_SHARE * mpp) / view.scale);
    byId('scale-text').textContent = length(um);
    byId('scale-bar').style.width = `${(um / mpp) * view.scale}px`;
  }
}

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement) => ({ width: clientWidth, height: clientHeight });
