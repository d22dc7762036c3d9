import { readFile } from 'node:fs/promises';
import { openAnnotations } from '#src/evaluate/annotation/source.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { readLabelsFile } from '#src/evaluate/labels-file.js';
import { seedsOf, textSeed } from '../corpus.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB } from './read-slide.mjs';

const MAP = parseLabelMap({ positive: 'stroma', negative: 'tumor,tumour', byName: true });
const FRAME = { width: 4000, height: 3000, bounds: { x: 10, y: 20, width: 3000, height: 2000 } };
const WINDOW = { x: 0, y: 0, step: 4, side: 64, width: 64, height: 64 };
const into = new Uint8Array(64 * 64);
const SQUARE = [
  [0, 0],
  [200, 0],
  [200, 100.5],
  [0, 100],
  [0, 0],
];

const ASAP = textSeed(
  'areas.xml',
  `<?xml version="1.0"?><ASAP_Annotations><Annotations><Annotation Name="a &amp; b" Type="Polygon" PartOfGroup="stroma" Color="#F4FA58"><Coordinates>${SQUARE.map(([x, y], i) => `<Coordinate Order="${i}" X="${x}" Y="${y}" />`).join('')}</Coordinates></Annotation></Annotations></ASAP_Annotations>`,
);
const GEOJSON = textSeed(
  'areas.geojson',
  JSON.stringify({
    type: 'FeatureCollection',
    features: [
      {
        type: 'Feature',
        geometry: { type: 'Polygon', coordinates: [SQUARE] },
        properties: { classification: { name: 'Stroma' } },
      },
      { type: 'Feature', geometry: { type: 'MultiPolygon', coordinates: [[SQUARE]] }, properties: { name: 'tumor' } },
    ],
  }),
);
const path = SQUARE.map(([x, y]) => ({ x, y }));
const DARWIN = textSeed(
  'areas.json',
  JSON.stringify({
    version: '2.0',
    annotations: [
      { name: 'stroma', polygon: { paths: [path] }, bounding_box: { x: 0, y: 0, w: 200, h: 100 } },
      { name: 'roi', bounding_box: { x: 0, y: 0, w: 300, h: 300 } },
      { name: 'tumor', polygon: { path } },
    ],
  }),
);
const LABELS = textSeed(
  'labels.json',
  '{"mpp": 0.5, "classes": [{"value": 2, "name": "stroma", "meaning": "positive", "colour": "#ff0000"}, {"value": 0, "name": "rest", "meaning": "negative"}]}',
);

/** The large files of the real ones cost time and hold nothing that the smaller ones do not. */
const brief = seeds => seeds.filter(({ bytes }) => bytes.length < 64 * 1024);

const annotation = (kind, seeds) => ({
  name: kind,
  seeds,
  mutate: mutateText,
  codes: ['LABELS_INVALID'],
  bound: { base: 16 * MIB, perByte: 64 },
  run: async (bytes, files) => {
    const source = await openAnnotations(files.write('areas.txt', bytes), MAP, FRAME);
    await source.read(WINDOW, into);
    await source.read({ ...WINDOW, x: 3000, y: 2000, step: 64 }, into);
    await source.close();
  },
});

/** Drawn labels, and the file that says what labels mean. */
export const ANNOTATIONS = [
  annotation('asap', () => [
    ASAP,
    ...seedsOf('fixtures', 'tiger', /\.xml$/),
    ...brief(seedsOf('shared', 'annotations', /\.xml$/)),
  ]),
  annotation('geojson', () => [GEOJSON, ...brief(seedsOf('shared', 'annotations', /\.geojson$/))]),
  annotation('darwin', () => [DARWIN, ...brief(seedsOf('shared', 'annotations', /^darwin.*\.json$/))]),
  {
    name: 'labels-file',
    seeds: () => [LABELS],
    mutate: mutateText,
    codes: ['LABELS_INVALID'],
    bound: { base: MIB, perByte: 16 },
    run: async (bytes, files) => {
      await readLabelsFile(files.write('labels.json', bytes), file => readFile(file, 'utf8'));
    },
  },
];
