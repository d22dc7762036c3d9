import { byId } from './format.js';
import type { MaskStyle } from './mask-ink.js';

interface Acts {
  /** Something looks otherwise now. */
  changed(): void;
  zoom(factor: number): void;
  home(): void;
  measure(on: boolean): void;
  /** One end of what is measured is in the middle of the view. */
  mark(): void;
  snapshot(): void;
}

const STYLES = ['fill', 'outline', 'none', 'probability'] as const;

/** The buttons, and the keys that do the same. */
export class Tools {
  readonly #acts: Acts;

  /** @param threshold what the mask is cut at where its probabilities are there, 0–1. */
  constructor(signal: AbortSignal, acts: Acts, threshold: number | undefined) {
    this.#acts = acts;
    this.#offerProbabilities(threshold);
    const on = (id: string, event: string, act: () => void): void => byId(id).addEventListener(event, act, { signal });
    on('zoom-in', 'click', () => acts.zoom(1.5));
    on('zoom-out', 'click', () => acts.zoom(1 / 1.5));
    on('home', 'click', acts.home);
    on('follow', 'click', () => void this.#toggle('follow'));
    on('measure', 'click', () => acts.measure(this.#toggle('measure')));
    on('snapshot', 'click', acts.snapshot);
    for (const id of ['style', 'colour', 'opacity', 'patterns', 'threshold']) on(id, 'input', acts.changed);
    document.addEventListener('keydown', event => this.#key(event), { signal });
    signal.addEventListener('abort', () => {
      for (const id of ['follow', 'measure']) byId(id).setAttribute('aria-pressed', 'false');
      byId('overlay').classList.remove('measuring');
    });
  }

  get style(): MaskStyle {
    return {
      shape: STYLES.find(shape => shape === byId<HTMLSelectElement>('style').value) ?? 'fill',
      colour: byId<HTMLSelectElement>('colour').value,
      opacity: Number(byId<HTMLInputElement>('opacity').value),
      threshold: Number(byId<HTMLInputElement>('threshold').value),
    };
  }

  get patterns(): boolean {
    return byId<HTMLInputElement>('patterns').checked;
  }

  get following(): boolean {
    return byId('follow').getAttribute('aria-pressed') === 'true';
  }

  /** Whoever moves the slide by hand wants to look there. */
  unfollow(): void {
    byId('follow').setAttribute('aria-pressed', 'false');
  }

  #offerProbabilities(threshold: number | undefined): void {
    const style = byId<HTMLSelectElement>('style');
    const option = style.querySelector<HTMLOptionElement>('[value="probability"]')!;
    option.disabled = threshold === undefined;
    if (threshold !== undefined) byId<HTMLInputElement>('threshold').valueAsNumber = threshold;
    else if (style.value === 'probability') style.value = 'fill';
  }

  #toggle(id: 'follow' | 'measure'): boolean {
    const on = byId(id).getAttribute('aria-pressed') !== 'true';
    byId(id).setAttribute('aria-pressed', String(on));
    return on;
  }

  #key(event: KeyboardEvent): void {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    const typing = target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
    if (typing || ctrlKey || metaKey || altKey) return;
    const opacity = byId<HTMLInputElement>('opacity');
    if (key === 'f') this.#toggle('follow');
    else if (key === 'm') this.#acts.measure(this.#toggle('measure'));
    else if (key === 's') this.#acts.snapshot();
    else if (key === 'o') {
      const style = byId<HTMLSelectElement>('style');
      const offered = [...style.options].flatMap(({ value, disabled }) => (disabled ? [] : [value]));
      style.value = offered[(offered.indexOf(style.value) + 1) % offered.length]!;
      this.#acts.changed();
    } else if (key === '[' || key === ']') {
      opacity.valueAsNumber += key === '[' ? -0.1 : 0.1;
      this.#acts.changed();
    } else if (
      key === 'Enter' &&
      byId('measure').getAttribute('aria-pressed') === 'true' &&
      !(target instanceof HTMLButtonElement)
    )
      this.#acts.mark();
  }
}
