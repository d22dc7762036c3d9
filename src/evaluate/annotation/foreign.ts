/** Annotations of programs whose files are told but not read: each is refused by its name, with what to export instead. */
export interface ForeignFormat {
  readonly name: string;
  /** What to do instead. */
  readonly fix: string;
}

const THROUGH_QUPATH =
  'open the annotations in QuPath and write them with File → Object data → Export as GeoJSON; or write ASAP’s XML';

const CYTOMINE: ForeignFormat = {
  name: 'a Cytomine export',
  fix:
    'its classes are numbers of an ontology and its y axis starts at the bottom: write GeoJSON with the terms’ names and ' +
    'image height − y (Cytomine’s Python client and shapely do it in a few lines)',
};
const SECTRA: ForeignFormat = {
  name: 'a Sectra export',
  fix: 'its points are shares of the slide and its classes texts beside them: convert it to GeoJSON in level-0 pixels',
};
const IMAGESCOPE: ForeignFormat = { name: 'Aperio ImageScope’s or HALO’s XML', fix: THROUGH_QUPATH };
const NDP_VIEW: ForeignFormat = { name: 'Hamamatsu’s NDP.view annotations', fix: THROUGH_QUPATH };
const COCO: ForeignFormat = { name: 'COCO JSON', fix: 'write GeoJSON, one file an image' };
const LABEL_ME: ForeignFormat = { name: 'LabelMe JSON', fix: 'write GeoJSON, one file an image' };

/** Formats told by the ending of a file's name, without a look inside. */
const BY_ENDING: Readonly<Record<string, ForeignFormat>> = {
  '.qpdata': {
    name: 'QuPath’s own data',
    fix: 'open the slide in QuPath and write the annotations with File → Object data → Export as GeoJSON',
  },
  '.ndpa': NDP_VIEW,
  '.annotations': { name: 'HALO’s annotations', fix: THROUGH_QUPATH },
  '.mld': { name: 'Visiopharm’s annotations', fix: THROUGH_QUPATH },
  '.dcm': {
    name: 'DICOM',
    fix: 'annotations in DICOM (Sectra’s presentation states, bulk annotations, segmentations) are not read: convert them to GeoJSON or a mask TIFF',
  },
};

/** What a file is by its name, where that is no format of labels that is read. */
export function foreignByEnding(ending: string): ForeignFormat | undefined {
  return BY_ENDING[ending.toLowerCase()];
}

export function foreignXml(text: string): ForeignFormat | undefined {
  if (text.includes('<ndpviewstate')) return NDP_VIEW;
  return /<Annotations[\s>]/.test(text) && /<Regions?[\s/>]/.test(text) ? IMAGESCOPE : undefined;
}

/** Tables: Cytomine's has a geometry in well-known text. */
export function foreignTable(text: string): ForeignFormat | undefined {
  return WELL_KNOWN_TEXT.test(text) ? CYTOMINE : undefined;
}

export function foreignJson(json: unknown): ForeignFormat | undefined {
  const first = Array.isArray(json) ? json[0] : json;
  if (!isRecord(first)) return undefined;
  const inner = Array.isArray(first['collection']) ? first['collection'][0] : first;
  if (isRecord(inner) && typeof inner['location'] === 'string' && WELL_KNOWN_TEXT.test(inner['location'])) {
    return CYTOMINE;
  }
  if (String(first['class'] ?? '').startsWith('be.cytomine')) return CYTOMINE;
  if ('slideId' in first && SECTRA_KEYS.some(key => key in first)) return SECTRA;
  if (Object.keys(first).some(key => /sectra/i.test(key))) return SECTRA;
  if (Array.isArray(first['categories']) && Array.isArray(first['annotations'])) return COCO;
  return Array.isArray(first['shapes']) && 'imagePath' in first ? LABEL_ME : undefined;
}

const SECTRA_KEYS = ['displayResult', 'applicationId', 'applicationVersion', 'callbackInfo'];
const WELL_KNOWN_TEXT = /\b(?:MULTI)?(?:POLYGON|POINT|LINESTRING)\s{0,8}(?:Z\s{0,8})?\(/;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
