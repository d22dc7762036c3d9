/** The report's style sheet: one column, print first, system fonts, nothing fetched. */
export const STYLE = `
:root { --ink: #1a1a1a; --soft: #5b5b5b; --rule: #d9d9d9; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 960px; padding: 40px 24px 80px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 44px 0 8px; padding-top: 14px; border-top: 1px solid var(--rule); break-after: avoid; }
h3 { font-size: 15px; margin: 22px 0 6px; break-after: avoid; }
p, ul, dl { margin: 0 0 10px; }
.lead { font-size: 17px; margin: 14px 0 0; }
.banner { margin: 14px 0 0; padding: 10px 14px; border-left: 4px solid #d55e00; background: #fdf1e8; }
.meta, .note, figcaption, td.soft { color: var(--soft); }
.meta { margin: 0; }
.note, figcaption { font-size: 13px; }
.scroll { overflow-x: auto; }
svg { overflow: visible; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; margin: 6px 0; }
caption { text-align: left; color: var(--soft); font-size: 13px; padding-bottom: 6px; }
th, td { text-align: right; padding: 5px 7px; border-bottom: 1px solid var(--rule); vertical-align: baseline; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid var(--ink); vertical-align: bottom; }
th:first-child, td:first-child, .left { text-align: left; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 110px; }
.few { width: auto; min-width: 56%; }
td:first-child { padding-left: 0; } th:first-child { padding-left: 0; }
tbody tr:last-child td { border-bottom: 1px solid var(--ink); }
.ci { color: var(--soft); font-size: 12px; display: block; }
figure { margin: 14px 0 20px; break-inside: avoid; }
figure svg { width: 100%; height: auto; display: block; }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px; align-items: start; }
.pair figure { margin: 6px 0; }
svg text { font: 11px system-ui, "Liberation Sans", Arial, sans-serif; fill: var(--ink); }
svg .tick { fill: #444; } svg .small { font-size: 9px; } svg .light { fill: #fff; }
svg .label { font-size: 12px; }
svg .axis { fill: none; stroke: #444; stroke-width: 1; }
svg .grid { stroke: #e8e8e8; stroke-width: 1; }
svg .zero { stroke: #999; stroke-width: 1; } svg .bias { stroke: #1a1a1a; stroke-width: 1.4; }
svg .limit { stroke: #1a1a1a; stroke-width: 1; stroke-dasharray: 5 4; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 8px; padding: 0; list-style: none; font-size: 13px; }
.key i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; vertical-align: -1px; }
.key i.hatch { background: repeating-linear-gradient(135deg, #777 0 2px, #eee 2px 6px); }
.example { margin: 12px 0 18px; break-inside: avoid; }
.example h3 { font-weight: 600; margin-bottom: 4px; } .example h3 span { font-weight: 400; color: var(--soft); }
.panels { display: grid; gap: 6px; align-items: start; }
.panels figure { margin: 0; } .panels img { width: 100%; height: auto; display: block; background: #eee; }
.panels figcaption { font-size: 12px; line-height: 1.3; padding-top: 3px; }
.matrix { width: auto; } .matrix td, .matrix th { padding: 6px 12px; } .matrix td:first-child, .matrix th:first-child { padding-left: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; font-size: 13.5px; } dt { color: var(--soft); } dd { margin: 0; }
details summary { cursor: pointer; } details ul { font-size: 13px; overflow-wrap: anywhere; }
@media print { h2 + p { break-after: avoid; } body { max-width: none; padding: 0; font-size: 10.5pt; } h2 { margin-top: 22px; } .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } @page { size: A4; margin: 16mm; } }
@media (max-width: 620px) { figure { overflow-x: auto; } svg[viewBox^="0 0 680 "] { min-width: 600px; } .pair { grid-template-columns: 1fr; } body { padding: 20px 14px; } }
`;
