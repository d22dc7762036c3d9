#!/usr/bin/env node
// Draws a dashboard from a Prometheus' data, for docs/images where no Grafana is at hand: what each panel asks is asked, and drawn plainly.
//
//     node deploy/grafana/draw.mjs deploy/grafana/dashboards/stromaflow.json http://localhost:9090 10m dashboard.png
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const UNIT = { width: 60, height: 26, gap: 6 };
const COLOURS = ['#1f77b4', '#d95f02', '#2a9d5c', '#b5478f', '#7a6a00', '#5b6c8f', '#c0392b', '#00838f'];
const POINTS = 120;
/** Drawn by its kind; as lines unless it is here. */
const LOOKS = { stat, table, heatmap };

const { positionals } = parseArgs({ allowPositionals: true });
const [file, prometheus, range, target] = positionals;
if (!target) {
  process.stderr.write('usage: draw.mjs <dashboard.json> <prometheus url> <range, as 10m> <picture.png>\n');
  process.exit(2);
}
const seconds = Number.parseFloat(range) * { s: 1, m: 60, h: 3600, d: 86_400 }[range.at(-1)];
const dashboard = JSON.parse(await readFile(file, 'utf8'));
const end = Date.now() / 1000;
const step = seconds / POINTS;

const panels = [];
for (const panel of dashboard.panels) panels.push(await drawPanel(panel));
const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
const [width, height] = [24 * UNIT.width, bottom * UNIT.height + 30];
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans, sans-serif">
<rect width="100%" height="100%" fill="#f4f5f5"/>
<text x="12" y="20" font-size="15" font-weight="bold" fill="#222">${escaped(dashboard.title)}, the last ${escaped(range)}</text>
<g transform="translate(0 30)">${panels.join('\n')}</g></svg>`;
await sharp(Buffer.from(svg)).png({ palette: true }).toFile(target);

async function drawPanel(panel) {
  const { x, y, w, h } = panel.gridPos;
  const [left, top] = [x * UNIT.width, y * UNIT.height];
  if (panel.type === 'row')
    return `<text x="${left + 12}" y="${top + 19}" font-size="14" font-weight="bold" fill="#333">${escaped(panel.title)}</text>`;
  const box = { width: w * UNIT.width - UNIT.gap, height: h * UNIT.height - UNIT.gap };
  const series = (await Promise.all(panel.targets.map(asked))).flat();
  const inside = (LOOKS[panel.type] ?? lines)(panel, series, box);
  return `<g transform="translate(${left + UNIT.gap / 2} ${top + UNIT.gap / 2})">
<rect width="${box.width}" height="${box.height}" fill="#fff" stroke="#d8d9da"/>
<text x="8" y="16" font-size="11" font-weight="bold" fill="#333">${escaped(panel.title)}</text>${inside}</g>`;
}

/** Series of a target, each with its legend. */
async function asked({ expr, legendFormat }) {
  const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
  const body = new URLSearchParams({ query, start: String(end - seconds), end: String(end), step: String(step) });
  const answer = await (await fetch(`${prometheus}/api/v1/query_range`, { method: 'POST', body })).json();
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`);
  return answer.data.result.map(({ metric, values }) => ({
    metric,
    legend: (legendFormat ?? '').replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ''),
    values: values.map(([at, value]) => [at, Number(value)]).filter(([, value]) => Number.isFinite(value)),
  }));
}

function lines({ fieldConfig }, series, { width, height }) {
  const { unit, custom } = fieldConfig.defaults;
  const plot = { left: 46, top: 24, width: width - 56, height: height - 58 };
  const stacked = custom?.stacking?.mode === 'normal' ? stack(series) : series;
  const most = Math.max(0, ...stacked.flatMap(({ values }) => values.map(([, value]) => value))) || 1;
  const toX = at => plot.left + ((at - end + seconds) / seconds) * plot.width;
  const toY = value => plot.top + plot.height * (1 - value / most);
  const grid = [0, 0.5, 1].map(share => {
    const at = toY(share * most).toFixed(1);
    return `<line x1="${plot.left}" x2="${plot.left + plot.width}" y1="${at}" y2="${at}" stroke="#e4e5e6"/>
<text x="${plot.left - 4}" y="${Number(at) + 3}" font-size="9" text-anchor="end" fill="#666">${said(share * most, unit)}</text>`;
  });
  const drawn = stacked.map(({ values }, index) => {
    const points = values.map(([at, value]) => `${toX(at).toFixed(1)},${toY(value).toFixed(1)}`).join(' ');
    return `<polyline points="${points}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5"/>`;
  });
  return [...grid, ...drawn, legend(series, width, height)].join('');
}

function stack(series) {
  const sums = new Map();
  return series.map(each => ({
    ...each,
    values: each.values.map(([at, value]) => {
      sums.set(at, (sums.get(at) ?? 0) + value);
      return [at, sums.get(at)];
    }),
  }));
}

function legend(series, width, height) {
  if (series.length === 0)
    return `<text x="${width / 2}" y="${height / 2}" font-size="11" text-anchor="middle" fill="#888">no data</text>`;
  let x = 10;
  return series
    .flatMap(({ legend: text }, index) => {
      const item = `<rect x="${x}" y="${height - 20}" width="9" height="9" fill="${COLOURS[index % COLOURS.length]}"/>
<text x="${x + 13}" y="${height - 12}" font-size="9" fill="#444">${escaped(text)}</text>`;
      x += 24 + text.length * 5.6;
      return x < width + 20 ? [item] : [];
    })
    .join('');
}

function stat({ fieldConfig }, [series], { width, height }) {
  const { unit, mappings = [], thresholds, decimals } = fieldConfig.defaults;
  const value = series?.values.at(-1)?.[1];
  const mapped = mappings[0]?.options[String(value)];
  const colour = mapped?.color ?? thresholds?.steps.findLast(each => each.value === null || value >= each.value)?.color;
  const fill = { green: '#2a9d5c', orange: '#d95f02', red: '#c0392b' }[colour] ?? '#222';
  const text = value === undefined ? 'no data' : (mapped?.text ?? said(value, unit, decimals));
  return `<text x="${width / 2}" y="${height / 2 + 16}" font-size="${text.length > 7 ? 18 : 24}" text-anchor="middle" fill="${fill}">${escaped(text)}</text>`;
}

function table(_panel, series, { width, height }) {
  const now = series.filter(({ values }) => (values.at(-1)?.[0] ?? 0) > end - 2 * step);
  const rows = now
    .slice(0, Math.floor((height - 30) / 14))
    .map(({ metric }) => Object.entries(metric).filter(([label]) => label !== '__name__' && label !== 'job'));
  return rows
    .map((row, index) => {
      const text = row
        .map(([label, value]) => `${label} ${value}`)
        .join(' · ')
        .slice(0, Math.floor((width - 16) / 5.2));
      return `<text x="8" y="${34 + index * 14}" font-size="9" fill="#444">${escaped(text)}</text>`;
    })
    .join('');
}

/** Of a histogram's buckets: how many fell between one bound and the next, in time. */
function heatmap({ options }, series, { width, height }) {
  const bounds = series
    .map(({ metric, values }) => [metric.le === '+Inf' ? Infinity : Number(metric.le), new Map(values)])
    .sort((a, b) => a[0] - b[0]);
  const times = [...new Set(series.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b);
  const cells = bounds.map(([, values], index) =>
    times.map(at => Math.max(0, (values.get(at) ?? 0) - (bounds[index - 1]?.[1].get(at) ?? 0))),
  );
  const most = Math.max(...cells.flat(), 1);
  const plot = { left: 46, top: 24, width: width - 56, height: height - 40 };
  const [across, down] = [plot.width / Math.max(1, times.length), plot.height / Math.max(1, bounds.length)];
  return cells
    .flatMap((row, index) => {
      const y = plot.top + plot.height - (index + 1) * down;
      const name =
        index % 3 === 0
          ? `<text x="${plot.left - 4}" y="${(y + down).toFixed(1)}" font-size="9" text-anchor="end" fill="#666">${said(bounds[index][0], options.yAxis?.unit)}</text>`
          : '';
      const drawn = row.map((count, at) =>
        count > 0
          ? `<rect x="${(plot.left + at * across).toFixed(1)}" y="${y.toFixed(1)}" width="${across.toFixed(1)}" height="${down.toFixed(1)}" fill="#8e0152" fill-opacity="${(0.15 + 0.85 * (count / most)).toFixed(2)}"/>`
          : '',
      );
      return [name, ...drawn];
    })
    .join('');
}

/** A number as Grafana would say it, near enough. */
function said(value, unit, decimals) {
  if (!Number.isFinite(value)) return '+Inf';
  if (unit === 'percentunit') return `${(100 * value).toFixed(decimals ?? (value < 0.1 ? 1 : 0))} %`;
  if (unit === 's')
    return value < 1 ? `${(1000 * value).toPrecision(3).replace(/\.0+$/, '')} ms` : `${value.toPrecision(3)} s`;
  const scale = unit === 'bytes' || unit === 'Bps' ? 1024 : 1000;
  const power = value < scale ? 0 : Math.min(4, Math.floor(Math.log(value) / Math.log(scale)));
  const number = value / scale ** power;
  const text = decimals === undefined ? String(Number(number.toPrecision(3))) : number.toFixed(decimals);
  return `${text}${['', scale === 1024 ? ' Ki' : 'k', scale === 1024 ? ' Mi' : 'M', scale === 1024 ? ' Gi' : 'G', 'T'][power]}${scale === 1024 ? 'B' : ''}${unit === 'Bps' ? '/s' : ''}`;
}

function escaped(text) {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
