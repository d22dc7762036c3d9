import { createHash } from 'node:crypto';
import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLE } from './page-style.js';
import { TRAINING_HTML } from './page-training.js';

/**
 * The page for people: one document, no request but to this server's /status, /slides/…/grid and /training/curves.svg.
 *
 * @param options.viewer there is one to point to.
 */
export function createPage({ viewer }: { viewer: boolean }): { readonly html: string; readonly policy: string } {
  return { html: viewer ? HTML : HTML.replace(VIEWER_LINK, ''), policy: POLICY };
}

/** The script shows the way from each slide where this is there. */
const VIEWER_LINK = '<a id="viewer" class="pipeline" href="view/">viewer: the slides and their masks</a>';

const sourceHash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const POLICY = [
  "default-src 'none'",
  `style-src ${sourceHash(PAGE_STYLE)}`,
  `script-src ${sourceHash(PAGE_SCRIPT)}`,
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stromaflow</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
  <h1>Stromaflow</h1>
  <span id="state" class="pill" role="status">connecting</span>
  <p id="folder" hidden></p>
  ${VIEWER_LINK}
  <p id="about"></p>
</header>
<main>
  <p id="error" class="error" hidden></p>
  ${TRAINING_HTML}
  <section class="figures pipeline" aria-label="Now">
    <div><b id="rate">–</b><span>patches/s</span><canvas id="history" width="240" height="36" aria-hidden="true"></canvas></div>
    <div><b id="done">–</b><span>patches done</span></div>
    <div><b id="masks">–</b><span>masks published</span></div>
    <div><b id="credits">–</b><span>patches in flight</span><progress id="used" max="1" value="0" aria-label="Patches in flight"></progress></div>
  </section>
  <section class="pipeline">
    <h2>Slides</h2>
    <p id="key" class="quiet" hidden>A square is a patch: the darker, the more stroma; blank: no tissue, or not there yet;
      diagonal lines: missing in the slide; level lines: failed.</p>
    <div id="slides"></div>
    <p id="none" class="quiet">No slide yet.</p>
  </section>
  <section class="pipeline">
    <h2>Stages</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Stages"><table>
      <thead><tr><th>stage</th><th>inside</th><th>per second</th><th>done</th><th>failed</th><th>last success</th></tr></thead>
      <tbody id="stages"></tbody>
    </table></div>
  </section>
</main>
<footer><a href="status">status</a> <a href="metrics">metrics</a> <a href="readyz">readiness</a>
<span>Not a medical device.</span></footer>
<noscript>This page needs JavaScript; <a href="status">/status</a> has the same as JSON.</noscript>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
