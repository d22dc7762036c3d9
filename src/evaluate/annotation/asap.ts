import { type AnnotatedShape, ringOf, shapesOf } from './shape.js';

/**
 * ASAP's XML: <Annotation Name Type PartOfGroup> with <Coordinate Order X Y>, in level-0 pixels. The class is the group, or
 * the annotation's name where it has no group, unless the name is the one ASAP gives by itself ('Annotation 3'). Points and
 * measurements have no area. A spline's control points are taken as its corners, as ASAP's own mask conversion does.
 */
const AREAS = new Set(['polygon', 'spline', 'rectangle']);

/** @throws Error saying what is wrong with the text */
export function parseAsap(text: string): AnnotatedShape[] {
  if (!/<ASAP_Annotations[\s>/]/.test(text)) throw new Error('it has no ASAP_Annotations');
  const shapes: AnnotatedShape[] = [];
  let annotation = 0;
  for (const { head, body } of annotations(text)) {
    const { Name = '', Type = 'Polygon', PartOfGroup = 'None' } = attributes(head);
    const isArea = AREAS.has(Type.toLowerCase());
    const own = DEFAULT_NAME.test(Name) ? '' : Name;
    const name = PartOfGroup === 'None' || PartOfGroup === '' ? own : PartOfGroup;
    shapes.push(...shapesOf({ name, annotation }, isArea ? [[ringOf(coordinates(body, Name))]] : []));
    annotation++;
  }
  return shapes;
}

const DEFAULT_NAME = /^Annotation \d{1,9}$/;

/** Every <Annotation …>, in time linear in the text, which a regular expression over unclosed tags would not be. */
function* annotations(text: string): Generator<{ head: string; body: string }> {
  for (let at = text.indexOf(OPEN); at >= 0; at = text.indexOf(OPEN, at)) {
    at += OPEN.length;
    // <Annotations> and the like.
    if (!/\s/.test(text[at] ?? '')) continue;
    const headEnd = text.indexOf('>', at);
    if (headEnd < 0) throw new Error('its last annotation is cut off');
    const head = text.slice(at, headEnd);
    at = headEnd + 1;
    if (head.endsWith('/')) {
      yield { head: head.slice(0, -1), body: '' };
      continue;
    }
    const end = text.indexOf(CLOSE, at);
    if (end < 0) throw new Error('its last annotation is cut off');
    yield { head, body: text.slice(at, end) };
    at = end + CLOSE.length;
  }
}

const OPEN = '<Annotation';
const CLOSE = '</Annotation>';

function coordinates(body: string, name: string): [number, number][] {
  const points = [...body.matchAll(/<Coordinate\s([^<>]{0,1024})>/g)].map(([, text], index) => {
    const { Order, X, Y } = attributes(text ?? '');
    const point = { order: Order === undefined ? index : Number(Order), x: decimal(X), y: decimal(Y) };
    if (![point.order, point.x, point.y].every(Number.isFinite)) {
      throw new Error(`annotation '${name}' has a coordinate that is no number`);
    }
    return point;
  });
  return points.sort((a, b) => a.order - b.order).map(({ x, y }) => [x, y]);
}

/** Some locales write a decimal comma. */
const decimal = (text: string | undefined): number =>
  text === undefined || text.trim() === '' ? Number.NaN : Number(text.replace(',', '.'));

function attributes(text: string): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = Object.create(null);
  for (const [, name, double, single] of text.matchAll(
    /(?<![\w.-])([A-Za-z_][\w.-]{0,63})\s{0,16}=\s{0,16}(?:"([^"]*)"|'([^']*)')/g,
  )) {
    found[name!] = decodeEntities(double ?? single ?? '');
  }
  return found;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:(lt|gt|quot|apos|amp)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi,
    (whole, name, decimalCode, hexCode) => {
      if (name) return ENTITIES[name.toLowerCase()] ?? whole;
      const code = decimalCode ? Number(decimalCode) : Number.parseInt(hexCode, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
