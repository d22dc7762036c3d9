/** Style of the status page; inlined, and named by its hash in the page's content security policy. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #667085; --paper: #f6f7f9; --card: #fff; --line: #e1e5eb;
  --accent: #b0307a; --good: #15803d; --warn: #b45309; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --quiet: #98a2b3; --paper: #12151b; --card: #1b2028;
  --line: #2d3440; --accent: #f06bb5; --good: #4ade80; --warn: #fbbf24; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1.25rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; }
h1 { margin: 0; font-size: 1.5rem; letter-spacing: -.01em; }
h2 { margin: 1.75rem 0 .6rem; font-size: 1rem; }
#about { flex-basis: 100%; margin: 0; color: var(--quiet); }
.pill { padding: .05rem .6rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .8rem; color: var(--quiet); }
.pill.good { color: var(--good); } .pill.warn { color: var(--warn); } .pill.bad { color: var(--bad); }
.error { margin: 1rem 0 0; padding: .6rem .8rem; border-left: 3px solid var(--bad); background: var(--card); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin-top: 1.25rem; }
.figures > div, .slide { padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.figures b { margin-right: .4rem; font-size: 1.7rem; } .figures span, .quiet { color: var(--quiet); }
.figures canvas { display: block; width: 100%; height: 36px; margin-top: .3rem; }
progress { display: block; width: 100%; height: .5rem; margin: .5rem 0 .3rem; accent-color: var(--accent); }
#slides { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: .75rem; align-items: start; }
.slide { display: flex; gap: 1rem; align-items: flex-start; } .slide > div { flex: 1; min-width: 0; }
.slide h3 { display: flex; flex-wrap: wrap; gap: .1rem .5rem; align-items: baseline; margin: 0 0 .15rem; font-size: 1rem;
  overflow-wrap: anywhere; } .slide .pill { font-weight: 400; } [hidden] { display: none !important; }
.slide h3 a, header a { color: var(--accent); } #key { margin: -.3rem 0 .6rem; }
.slide p { margin: .1rem 0; color: var(--quiet); } .slide p.strong { color: var(--ink); }
.slide .error { padding: .1rem .6rem; color: var(--ink); overflow-wrap: anywhere; }
.slide canvas { flex: none; width: 6rem; max-height: 9rem; object-fit: contain; image-rendering: pixelated; background: var(--paper);
  border: 1px solid var(--line); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .45rem .9rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
th { border-top: 0; color: var(--quiet); font-weight: 500; } th:first-child, td:first-child { text-align: left; }
@media (max-width: 30rem) { th, td { padding: .4rem .35rem; white-space: normal; font-size: .85rem; } }
td.bad { color: var(--bad); font-weight: 600; }
#curves { display: block; width: 100%; max-width: 48rem; margin: 1rem 0; border: 1px solid var(--line); border-radius: .5rem; }
tr.strong { font-weight: 600; } h2 span { color: var(--quiet); font-weight: 400; }
footer { margin-top: 2rem; color: var(--quiet); } footer a { color: inherit; margin-right: .75rem; }
`;
