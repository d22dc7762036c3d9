import { type Status, slideUrl } from './api.js';
import { byId, count, doneOf, element, isSilent, pace, TONES } from './format.js';
import { type PatchGrid, STATES } from './patch-grid.js';
import { swatch, WORDS } from './patterns.js';

/** What is written about a slide, around its picture. */

export function drawTitle(status: Status): void {
  const { slide, state, patches, patchesPerSecond } = status;
  byId('name').textContent = slide;
  const pill = byId('state');
  pill.textContent = state;
  pill.className = `pill ${TONES[state]}`;
  const done = doneOf(status);
  const bar = byId<HTMLProgressElement>('progress');
  bar.max = Math.max(1, patches.expected);
  bar.value = done;
  bar.hidden = state !== 'open';
  const rate = patchesPerSecond > 0 && !isSilent(status) ? `, ${patchesPerSecond.toFixed(1)} patches/s` : '';
  byId('eta').textContent =
    state === 'open' ? `${count(done)} of ${count(patches.expected)} patches${rate}${pace(status)}` : '';
}

export function drawFacts(status: Status, patches: PatchGrid | undefined): void {
  const { slide, area, revision, iou, model, state } = status;
  // Of a slide that was never opened nothing is known; 0 mm² would be a finding.
  const isKnown = state !== 'failed' || status.patches.expected > 0;
  const facts: [string, string][] = isKnown
    ? [
        ['Stroma', `${area.stromaMm2.toFixed(3)} mm²`],
        ['Tissue', `${area.tissueMm2.toFixed(3)} mm²`],
        ['Stroma in tissue', `${(100 * area.stromaFraction).toFixed(1)} %`],
      ]
    : [];
  if (area.missingMm2) facts.push(['Missing in the slide', `${area.missingMm2.toFixed(3)} mm²`]);
  if (iou && iou.value !== null) facts.push(['IoU', iou.value.toFixed(4)]);
  if (isKnown) facts.push(['Revision', `${revision}${state === 'open' ? ', provisional' : ''}`]);
  if (model !== null) facts.push(['Model', model]);
  byId('figures').replaceChildren(...facts.flatMap(([name, value]) => [element('dt', name), element('dd', value)]));
  drawLegend(patches);
  const ended = state === 'completed' || state === 'incomplete';
  const links = [
    ...(ended ? (['mask.geojson', 'summary.json'] as const) : []),
    ...(patches ? ['mask.ome.zarr/.zattrs', 'patches?limit=10000'] : []),
  ];
  const wanted = links.join();
  const downloads = byId('downloads');
  if (downloads.dataset['shown'] === `${slide} ${wanted}`) return;
  downloads.dataset['shown'] = `${slide} ${wanted}`;
  downloads.replaceChildren(
    ...links.map(name => {
      const link = element('a', WHAT[name] ?? name);
      link.href = slideUrl(slide, `/${name}`);
      return link;
    }),
  );
}

const WHAT: Readonly<Record<string, string>> = {
  'mask.geojson': 'Polygons for QuPath (GeoJSON)',
  'summary.json': 'Summary (JSON)',
  'mask.ome.zarr/.zattrs': 'Mask (OME-Zarr: open the folder of this address)',
  'patches?limit=10000': 'Patches (JSON)',
};

/** @param isPictured the slide itself is shown, not only what became of it. */
export function drawNotes({ notes, error }: Status, isPictured: boolean): void {
  byId('notes').replaceChildren(
    ...(error ? [element('p', `${error.code}: ${error.fix}`, 'bad')] : []),
    ...notes.map(({ message }) => element('p', message)),
    ...(isPictured ? [] : [element('p', 'Of a slide that an earlier start finished the picture is not at hand.')]),
  );
}

function drawLegend(patches: PatchGrid | undefined): void {
  const legend = byId('legend');
  if (!patches) {
    legend.replaceChildren();
    return;
  }
  const counts = STATES.map(() => 0);
  for (const code of patches.codes) counts[code & 7]! += 1;
  if (legend.children.length === 0)
    legend.replaceChildren(
      ...STATES.map(state => {
        const item = element('li');
        item.append(swatch(state), element('span'));
        return item;
      }),
    );
  for (const [i, state] of STATES.entries())
    legend.children[i]!.lastElementChild!.textContent = `${count(counts[i]!)} ${WORDS[state]}`;
}
