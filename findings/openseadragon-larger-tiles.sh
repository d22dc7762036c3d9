#!/usr/bin/env bash
# OpenSeadragon: is a pyramid of plain tiles (no overlap), shown at one screen pixel for each of its pixels, the image pixel for pixel?
# Guess: yes. Whatever is drawn over it, such as a mask, then lies where it belongs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit --ignore-scripts openseadragon@6.1.1 playwright-core@1.65.1
CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
export CHROMIUM
node - <<'JS'
const { chromium } = require('playwright-core');

/** Shows 2 × 1 tiles of 256 px, columns of black and white in turn, in a viewer of 512 × 256 px; counts pixels that differ. */
const show = overlap => new Promise(resolve => {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 256;
  const ctx = tile.getContext('2d');
  for (let x = 0; x < 256; x++) {
    ctx.fillStyle = x % 2 ? '#fff' : '#000';
    ctx.fillRect(x, 0, 1, 256);
  }
  const url = tile.toDataURL();
  const element = document.createElement('div');
  element.style.cssText = 'width:512px;height:256px';
  document.body.replaceChildren(element);
  const viewer = OpenSeadragon({
    element, drawer: 'canvas', showNavigationControl: false, immediateRender: true, visibilityRatio: 1, animationTime: 0,
    tileSources: { width: 512, height: 256, tileSize: 256, tileOverlap: overlap, minLevel: 0, maxLevel: 0,
      getLevelScale: () => 1, getTileUrl: () => url },
  });
  const look = () => {
    if (!viewer.world.getItemAt(0)?.getFullyLoaded()) return requestAnimationFrame(look);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const canvas = viewer.drawer.canvas;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let wrong = 0;
      for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i] - ((i / 4) % canvas.width % 2 ? 255 : 0)) > 8) wrong++;
      viewer.destroy();
      resolve({ version: OpenSeadragon.version.versionStr, share: wrong / (data.length / 4) });
    }));
  };
  look();
});

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  const page = await browser.newPage();
  await page.addScriptTag({ path: require.resolve('openseadragon') });
  const none = await page.evaluate(show, 0);
  const little = await page.evaluate(show, 1e-6);
  await browser.close();
  const percent = ({ share }) => `${(100 * share).toFixed(1)} % of the pixels are not the image's`;
  console.log(`openseadragon ${none.version}`);
  console.log(`tileOverlap 0: ${percent(none)}; tileOverlap 0.000001: ${percent(little)}`);
  if (!(none.share > 0.2) || little.share > 0) throw new Error('this has changed');
  console.log('Tiles without overlap are stretched by a pixel, so that the picture slips by up to one; any overlap, however small, ends that.');
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
