import { getJson, type Slide, type Status, slideUrl } from './api.js';
import { byId, count, doneOf, element, pace, TONES } from './format.js';
import { SlideView } from './slide-view.js';

/** The list of slides at the side, and the one that the address names. */

interface Listed {
  readonly total: number;
  readonly slides: readonly Status[];
}

const SHOWN = 1000;

let view: SlideView | undefined;
let wanted = '';

function chosen(): string {
  return decodeURIComponent(location.hash.slice(1));
}

function draw({ total, slides }: Listed): void {
  byId('count').textContent =
    total > slides.length
      ? `${count(slides.length)} of ${count(total)} slides`
      : `${count(total)} ${total === 1 ? 'slide' : 'slides'}`;
  const list = byId('slides');
  const known = new Map([...list.children].map(item => [(item as HTMLElement).dataset['slide'], item as HTMLElement]));
  const items = slides.map(slide => {
    const item = known.get(slide.slide) ?? element('li');
    const text = JSON.stringify([slide, pace(slide), chosen()]);
    if (item.dataset['shown'] !== text) item.replaceChildren(entry(slide));
    item.dataset['shown'] = text;
    item.dataset['slide'] = slide.slide;
    return item;
  });
  // What stands still keeps the focus.
  const same = items.length === list.children.length && items.every((item, i) => list.children[i] === item);
  if (!same) list.replaceChildren(...items);
}

function entry(status: Status): HTMLElement {
  const { slide, state, patches, area } = status;
  const link = element('a');
  link.href = `#${encodeURIComponent(slide)}`;
  if (slide === chosen()) link.setAttribute('aria-current', 'true');
  link.append(element('b', slide), element('span', state, `pill ${TONES[state]}`));
  const done = doneOf(status);
  const facts =
    state === 'open'
      ? `${count(done)} of ${count(patches.expected)} patches${pace(status)}`
      : state === 'failed'
        ? (status.error?.code ?? '')
        : `stroma ${(100 * area.stromaFraction).toFixed(1)} % of ${area.tissueMm2.toFixed(2)} mm² tissue`;
  link.append(element('span', facts, 'quiet'));
  if (state === 'open') {
    const bar = element('progress');
    bar.max = Math.max(1, patches.expected);
    bar.value = done;
    bar.setAttribute('aria-label', `Patches done of ${slide}`);
    link.append(bar);
  }
  return link;
}

/** The slide that is wanted could not be asked for. */
let unanswered = false;
let anySlide = false;

const invitation = (): string =>
  anySlide ? 'Choose a slide.' : 'No slide yet. One is listed as soon as it can be read, while it is still scanned.';

async function refresh(): Promise<void> {
  const link = byId('link');
  try {
    const find = byId<HTMLInputElement>('find').value.trim();
    const listed = await getJson<Listed>(`../api/slides?limit=${SHOWN}&find=${encodeURIComponent(find)}`);
    draw(listed);
    anySlide ||= listed.total > 0;
    if (wanted === '') byId('empty').textContent = invitation();
    link.textContent = 'connected';
    link.className = 'pill good';
    if (unanswered) {
      unanswered = false;
      void show();
    }
  } catch {
    link.textContent = 'no answer';
    link.className = 'pill bad';
  }
}

/** Shows the slide that the address names; a run that begins anew shows it anew. */
async function show(): Promise<void> {
  const slide = chosen();
  wanted = slide;
  view?.close();
  view = undefined;
  byId('viewer').hidden = slide === '';
  byId('empty').hidden = slide !== '';
  if (slide === '') {
    byId('empty').textContent = invitation();
    return;
  }
  try {
    const about = await getJson<Slide>(slideUrl(slide));
    if (wanted === slide) view = new SlideView(about, () => void show());
  } catch (error) {
    if (wanted !== slide) return;
    unanswered = !(error instanceof Error && error.message === '404');
    byId('viewer').hidden = true;
    byId('empty').hidden = false;
    byId('empty').textContent = unanswered
      ? 'The server does not answer; this page asks again.'
      : `There is no slide ${slide}.`;
  }
}

addEventListener('hashchange', () => {
  void show();
  void refresh();
});
byId('find').addEventListener('input', () => void refresh());

const again = (): void => {
  setTimeout(() => void refresh().then(again), document.hidden ? 10_000 : 2000);
};
void show();
void refresh().then(again);

// For whoever drives the page: tests, and people at the console.
Object.assign(globalThis, { stromaflow: { view: () => view } });
