#!/usr/bin/env bash
# sharp: does .greyscale() of an RGB picture write a PNG of one channel?
# Guess: yes. A mask or a grey tile written so is then taken for colour by whoever counts channels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit sharp@0.35.5
node - <<'JS'
const sharp = require('sharp');
const rgb = () => sharp(Buffer.alloc(32 * 32 * 3, 100), { raw: { width: 32, height: 32, channels: 3 } });
const kind = async image => {
  const { space, channels } = await sharp(await image.png().toBuffer()).metadata();
  return `${space}, ${channels} channels`;
};
(async () => {
  const greyscale = await kind(rgb().greyscale());
  const blackAndWhite = await kind(rgb().toColourspace('b-w'));
  console.log(`sharp ${sharp.versions.sharp}`);
  console.log(`.greyscale().png(): ${greyscale}; .toColourspace('b-w').png(): ${blackAndWhite}`);
  if (!/^srgb, 3/.test(greyscale) || !/^b-w, 1/.test(blackAndWhite)) throw new Error('this has changed');
  console.log('.greyscale() keeps three equal channels in the file; only toColourspace writes one.');
})().catch(error => {
  console.error(error.message);
  process.exit(1);
});
JS
