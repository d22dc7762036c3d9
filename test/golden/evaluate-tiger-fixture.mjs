// Makes test/fixtures/tiger: TIGER's published folder layout in miniature. Images are crops of the CC0 slide
// test/fixtures/CMU-1-Small-Region.svs; names are made up and masks are geometry, so no score on them means anything.
// Run by hand after `npm run build`:  node test/golden/evaluate-tiger-fixture.mjs
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';

const root = fileURLToPath(new URL('../fixtures/tiger/', import.meta.url));
const { info, source } = await openSlide(fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url)));
const tiles = await openTileSource(source);
const PX_PER_MM = 2000;

async function crop(left, top, width, height) {
  const { tileWidth, tileHeight } = info.levels[0];
  const out = Buffer.alloc(width * height * 3);
  const tile = new Uint8Array(tileWidth * tileHeight * 3);
  for (let row = Math.floor(top / tileHeight); row * tileHeight < top + height; row++) {
    for (let col = Math.floor(left / tileWidth); col * tileWidth < left + width; col++) {
      await tiles.readTile(0, col, row, tile);
      for (let y = Math.max(top, row * tileHeight); y < Math.min(top + height, (row + 1) * tileHeight); y++) {
        const x = Math.max(left, col * tileWidth);
        const end = Math.min(left + width, (col + 1) * tileWidth);
        const from = ((y - row * tileHeight) * tileWidth + x - col * tileWidth) * 3;
        out.set(tile.subarray(from, from + (end - x) * 3), ((y - top) * width + x - left) * 3);
      }
    }
  }
  return sharp(out, { raw: { width, height, channels: 3 } });
}

/** All eight values in rectangles; `shift` makes the masks differ. */
const valueAt = (x, y, width, height, shift) =>
  (Math.floor((x * 4) / width) + 4 * Math.floor((y * 2) / height) + shift) % 8;

function mask(width, height, value) {
  const values = Buffer.from(Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))));
  return sharp(values, { raw: { width, height, channels: 1 } }).toColourspace('b-w');
}

async function place(path) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  return join(root, path);
}

async function roi(subset, slide, [left, top, right, bottom], shift) {
  const [width, height] = [right - left, bottom - top];
  const folder = `wsirois/roi-level-annotations/${subset}`;
  const name = `${slide}_[${left}, ${top}, ${right}, ${bottom}].png`;
  await (await crop(left, top, width, height))
    .png({ compressionLevel: 9 })
    .toFile(await place(`${folder}/images/${name}`));
  await mask(width, height, (x, y) => valueAt(x, y, width, height, shift))
    .png({ compressionLevel: 9 })
    .toFile(await place(`${folder}/masks/${name}`));
}

const SHAPES = [
  [
    'roi',
    [
      [32, 32],
      [288, 32],
      [288, 224],
      [32, 224],
    ],
  ],
  [
    'invasive tumor',
    [
      [32, 32],
      [128, 32],
      [128, 224],
      [32, 224],
    ],
  ],
  [
    'tumor-associated stroma',
    [
      [128, 32],
      [208, 32],
      [208, 128],
      [128, 128],
    ],
  ],
  [
    'inflamed stroma',
    [
      [128, 128],
      [208, 128],
      [208, 224],
      [128, 224],
    ],
  ],
  [
    'rest',
    [
      [208, 32],
      [288, 32],
      [288, 128],
      [208, 128],
    ],
  ],
];
const VALUES = { 'invasive tumor': 1, 'tumor-associated stroma': 2, 'inflamed stroma': 6, rest: 7 };

function xml(shapes) {
  const annotations = shapes.map(([group, points], i) => {
    const coordinates = points.map(([x, y], order) => `<Coordinate Order="${order}" X="${x}" Y="${y}" />`).join('');
    return `<Annotation Name="Annotation ${i}" Type="Polygon" PartOfGroup="${group}" Color="#F4FA58"><Coordinates>${coordinates}</Coordinates></Annotation>`;
  });
  const groups = [...new Set(shapes.map(([group]) => group))].map(
    group => `<Group Name="${group}" PartOfGroup="None" Color="#64FE2E"><Attributes /></Group>`,
  );
  return `<?xml version="1.0"?>\n<ASAP_Annotations>\n<Annotations>\n${annotations.join('\n')}\n</Annotations>\n<AnnotationGroups>\n${groups.join('\n')}\n</AnnotationGroups>\n</ASAP_Annotations>\n`;
}

const TILED = { tile: true, tileWidth: 128, tileHeight: 128, xres: PX_PER_MM, yres: PX_PER_MM, resolutionUnit: 'cm' };

async function slide(folder, name, left, top) {
  const image = await crop(left, top, 320, 256);
  await image
    .tiff({ ...TILED, compression: 'jpeg', quality: 80, pyramid: true })
    .toFile(await place(`${folder}/images/${name}.tif`));
  await mask(320, 256, () => 1)
    .tiff({ ...TILED, compression: 'deflate' })
    .toFile(await place(`${folder}/tissue-masks/${name}_tissue.tif`));
}

async function classMask(path, shapes, values) {
  const inside = (x, y, points) => {
    const xs = points.map(point => point[0]);
    const ys = points.map(point => point[1]);
    return x >= Math.min(...xs) && x < Math.max(...xs) && y >= Math.min(...ys) && y < Math.max(...ys);
  };
  const value = (x, y) => values[shapes.find(([group, points]) => group in values && inside(x, y, points))?.[0]] ?? 0;
  await mask(320, 256, value)
    .tiff({ ...TILED, compression: 'lzw', bigtiff: true })
    .toFile(await place(path));
}

await rm(root, { recursive: true, force: true });
await roi('tissue-bcss', 'TCGA-ZZ-0001-01Z-00-DX1.00000000-0000-0000-0000-000000000001', [960, 1360, 1120, 1480], 0);
await roi('tissue-bcss', 'TCGA-ZZ-0002-01Z-00-DX1.00000000-0000-0000-0000-000000000002', [1050, 1900, 1180, 2000], 3);
await roi('tissue-cells', 'TCGA-ZZ-0001-01Z-00-DX1.00000000-0000-0000-0000-000000000001', [1040, 1420, 1140, 1510], 1);
await roi('tissue-cells', '900B', [900, 2300, 1000, 2400], 2);
await roi('tissue-cells', 'TC_S01_P000900_C0001_B101', [1200, 700, 1290, 800], 5);
await writeFile(
  await place('wsirois/roi-level-annotations/tissue-cells/tiger-coco.json'),
  '{"images":[],"annotations":[]}\n',
);

const WSI = 'wsirois/wsi-level-annotations';
await slide(WSI, '901S', 1000, 2150);
await classMask(`${WSI}/annotations-tissue-bcss-masks/901S.tif`, SHAPES, VALUES);
await writeFile(await place(`${WSI}/annotations-tissue-bcss-xmls/901S.xml`), xml(SHAPES));
await slide(WSI, '902S', 1300, 2100);
await writeFile(await place(`${WSI}/annotations-tissue-cells-xmls/902S.xml`), xml(SHAPES));

await slide('wsibulk', '903B', 900, 1500);
const BULK = [
  [
    'tumor',
    [
      [64, 64],
      [256, 64],
      [256, 192],
      [64, 192],
    ],
  ],
];
await classMask('wsibulk/annotations-tumor-bulk/masks/903B.tif', BULK, { tumor: 1 });
await writeFile(await place('wsibulk/annotations-tumor-bulk/xmls/903B.xml'), xml(BULK));
await writeFile(
  join(root, 'README.md'),
  `# TIGER's folder layout in miniature
Made by test/golden/evaluate-tiger-fixture.mjs. The images are crops of CMU-1-Small-Region.svs (OpenSlide test data, CC0); slide names are made up;
masks and annotations are rectangles. For testing loaders only: no score on them means anything.
`,
);
tiles.close();
