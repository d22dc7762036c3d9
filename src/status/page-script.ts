import { TRAINING_SCRIPT } from './page-training.js';

/**
 * Script of the status page; inlined, and named by its hash in the page's content security policy. Text from the report
 * only ever becomes text nodes.
 */
export const PAGE_SCRIPT = `
'use strict';
const byId = id => document.getElementById(id);
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const whole = new Intl.NumberFormat('en');
const rate = value => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
const span = seconds => seconds < 90 ? Math.round(seconds) + ' s'
  : seconds < 5400 ? Math.round(seconds / 60) + ' min' : (seconds / 3600).toFixed(1) + ' h';
// The server's clock may be minutes from this one's.
let ahead = 0;
const since = time => Math.max(0, (Date.now() + ahead - Date.parse(time)) / 1000);
const ago = time => time ? span(since(time)) + ' ago' : '–';
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name);

const history = [];
function drawHistory(value) {
  history.push(value);
  if (history.length > 120) history.shift();
  const canvas = byId('history'), ctx = canvas.getContext('2d');
  const top = Math.max(...history, 1e-9), step = canvas.width / 119;
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  ctx.strokeStyle = css('--accent');
  ctx.lineWidth = 2;
  ctx.beginPath();
  history.forEach((v, i) => ctx.lineTo((i + 120 - history.length) * step, canvas.height - 2 - (v / top) * (canvas.height - 4)));
  ctx.stroke();
}

async function drawGrid(canvas, slide) {
  const answer = await fetch('slides/' + encodeURIComponent(slide) + '/grid');
  if (!answer.ok) { canvas.hidden = true; return; }
  const { cols, rows, cells } = await answer.json();
  canvas.hidden = false;
  const side = Math.max(1, Math.min(8, Math.floor(384 / Math.max(cols, rows))));
  const width = canvas.width = cols * side, height = canvas.height = rows * side;
  const ctx = canvas.getContext('2d'), image = ctx.createImageData(width, height), bytes = atob(cells);
  for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at += 4) {
    const value = bytes.charCodeAt(Math.floor(y / side) * cols + Math.floor(x / side));
    if (value !== 0) image.data.set(cellColour(value, x, y), at);
  }
  ctx.putImageData(image, 0, 0);
}

// Diagonal lines: missing. Level lines: failed. Else the share of stroma.
function cellColour(value, x, y) {
  if (value === 255) return (x + y) % 4 < 2 ? [95, 105, 120, 255] : [225, 229, 235, 255];
  if (value === 254) return y % 4 < 2 ? [185, 28, 28, 255] : [250, 220, 220, 255];
  const share = (value - 1) / 252;
  return [238 - 62 * share, 222 - 174 * share, 232 - 110 * share, 255];
}

const cards = new Map();
function cardOf(slide) {
  let card = cards.get(slide);
  if (card) return card;
  const root = make('article', 'slide'), canvas = make('canvas'), body = make('div');
  canvas.title = 'Share of stroma in each patch; diagonal lines: missing, level lines: failed';
  canvas.width = canvas.height = 1;
  root.append(canvas, body);
  card = { root, canvas, body, drawn: -1 };
  cards.set(slide, card);
  return card;
}

function drawSlide(s) {
  const card = cardOf(s.slide), p = s.patches;
  const done = p.segmented + p.empty + p.missing + p.failed;
  const heading = make('h3');
  const name = byId('viewer') ? make('a', '', s.slide) : make('span', '', s.slide);
  if (byId('viewer')) name.href = 'view/#' + encodeURIComponent(s.slide);
  heading.append(name);
  const tone = { open: 'warn', completed: 'good', incomplete: 'warn', failed: 'bad' }[s.state];
  heading.append(make('span', 'pill ' + tone, s.state));
  const lines = [heading];
  if (s.state === 'open') {
    const bar = make('progress');
    bar.max = Math.max(1, p.expected); bar.value = done;
    bar.setAttribute('aria-label', 'Patches done of ' + s.slide);
    lines.push(bar);
  }
  if (p.expected > 0) {
    const aside = ['empty', 'missing', 'failed'].filter(name => p[name] > 0).map(name => whole.format(p[name]) + ' ' + name);
    lines.push(make('p', '', whole.format(done) + ' of ' + whole.format(p.expected) + ' patches'
      + (aside.length ? ' (' + aside.join(', ') + ')' : '')));
    if (s.tiles && s.tiles.missing > 0) lines.push(make('p', '', whole.format(s.tiles.missing) + ' of '
      + whole.format(s.tiles.expected) + ' tiles missing'));
    lines.push(make('p', 'strong', 'stroma ' + s.area.stromaMm2.toFixed(3) + ' mm² of ' + s.area.tissueMm2.toFixed(3)
      + ' mm² tissue (' + (100 * s.area.stromaFraction).toFixed(1) + ' %)'));
  }
  if (s.iou && s.iou.value !== null) lines.push(make('p', '', 'IoU ' + s.iou.value.toFixed(4) + ' on '
    + whole.format(s.iou.labelledPatches) + ' labelled patches'));
  // The rate of all slides stands above: two that are counted over other times look like a contradiction.
  // What was foretold no longer holds when nothing came for longer than a slow machine takes for a batch.
  const silent = since(s.updatedAt);
  if (s.state === 'open') lines.push(make('p', '', silent > 60 ? 'nothing new for ' + span(silent)
    : s.etaSeconds === null ? '' : span(s.etaSeconds) + ' to go'));
  else lines.push(make('p', '', 'ended ' + ago(s.endedAt)));
  if (s.error) lines.push(make('p', 'error', s.error.message + ' [' + s.error.code + ']: ' + s.error.fix));
  card.body.replaceChildren(...lines);
  if (p.expected === 0) card.canvas.hidden = true;
  else if (card.drawn !== s.revision + done) {
    card.drawn = s.revision + done;
    drawGrid(card.canvas, s.slide).catch(() => { card.canvas.hidden = true; });
  }
  return card.root;
}

function drawStage(s) {
  const row = make('tr');
  row.append(make('td', '', s.stage), make('td', '', whole.format(s.inProgress)), make('td', '', rate(s.perSecond)),
    make('td', '', whole.format(s.done)), make('td', s.failed ? 'bad' : '', whole.format(s.failed)),
    make('td', '', ago(s.lastSuccessAt)));
  return row;
}

${TRAINING_SCRIPT}
function draw(r) {
  const state = byId('state');
  const t = r.training, away = !t && !r.bus.connected, well = t ? t.state !== 'interrupted' : r.state === 'running';
  state.textContent = t ? t.state : away ? 'bus away' : r.state;
  state.className = 'pill ' + (away ? 'bad' : well ? 'good' : 'warn');
  drawTraining(t);
  byId('folder').hidden = r.folder === null;
  if (r.folder) {
    byId('folder').textContent = 'watching ' + r.folder.path + (r.folder.away ? ' (away: ' + r.folder.away + ')' : '');
    byId('folder').className = r.folder.away ? 'bad' : '';
  }
  byId('about').textContent = [r.version, r.engine && r.engine.model + '@' + r.engine.modelVersion,
    r.engine && r.engine.name + ' ' + r.engine.version + ' on ' + r.engine.device, !t && r.bus.description,
    'up ' + span(r.uptimeSeconds)].filter(Boolean).join('  ·  ');
  byId('rate').textContent = rate(r.rates.patchesPerSecond);
  byId('done').textContent = whole.format(r.rates.patchesDone);
  byId('masks').textContent = whole.format(r.rates.masksPublished);
  byId('credits').textContent = (r.credits.total - r.credits.free) + ' of ' + r.credits.total;
  byId('used').max = Math.max(1, r.credits.total);
  byId('used').value = r.credits.total - r.credits.free;
  byId('error').hidden = r.lastError === null;
  if (r.lastError) byId('error').textContent = r.lastError.message + ' [' + r.lastError.code + '], ' + ago(r.lastError.at)
    + ': ' + r.lastError.fix;
  byId('none').hidden = r.slides.length > 0;
  byId('key').hidden = r.slides.length === 0;
  byId('slides').replaceChildren(...r.slides.map(drawSlide));
  const known = new Set(r.slides.map(s => s.slide));
  for (const slide of cards.keys()) if (!known.has(slide)) cards.delete(slide);
  byId('stages').replaceChildren(...r.stages.map(drawStage));
  drawHistory(r.rates.patchesPerSecond);
}

async function refresh() {
  try {
    const answer = await fetch('status');
    if (!answer.ok) throw new Error(String(answer.status));
    ahead = (Date.parse(answer.headers.get('date')) || Date.now()) - Date.now();
    draw(await answer.json());
  } catch {
    byId('state').textContent = 'no answer';
    byId('state').className = 'pill bad';
  }
  setTimeout(refresh, document.hidden ? 10000 : 1000);
}
refresh();
`;
