import { toStromaflowError } from '../errors.js';
import { printable } from '../text.js';
import type { BusEvent } from './bus.js';
import { type DeadLetterEvent, decodeEvent, type MaskEvent, type SlideEvent, type StromaEvent } from './decode.js';
import type { Aggregate, Areas, IouSum, PatchCounts } from './payloads.js';

/** The same behind its time of day, UTC. */
export function timedLine(event: BusEvent): string {
  return `${printable(event.time.slice(11, 19)).padEnd(8)} ${describeEvent(event)}`;
}

/** The event for programs: its attributes, and its data where that is JSON, else how many bytes it has. */
export function eventFacts({ data, ...attributes }: BusEvent): object {
  if (!/^application\/json\s*(;|$)/i.test(attributes.contentType)) return { ...attributes, bytes: data.length };
  try {
    return { ...attributes, data: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data)) };
  } catch {
    return { ...attributes, bytes: data.length };
  }
}

/** One line for a person: kind, slide, what happened. Never throws; whatever came, no control character gets out. */
export function describeEvent(event: BusEvent): string {
  return printable(line(event));
}

function line(event: BusEvent): string {
  try {
    const decoded = decodeEvent(event);
    return decoded ? describe(decoded) : `other      ${event.type}  ${event.subject}  ${size(event.data.byteLength)}`;
  } catch (error) {
    return `invalid    ${toStromaflowError(error).message}`;
  }
}

function describe(event: StromaEvent): string {
  switch (event.kind) {
    case 'mask':
      return columns('mask', event.slide, describeMask(event));
    case 'aggregate':
      return columns('aggregate', event.aggregate.slide, describeAggregate(event.aggregate));
    case 'slide':
      return columns(event.state, event.payload.slide, describeSlide(event));
    case 'dlq':
      return columns('dlq', event.letter.slide, describeLetter(event));
  }
}

function describeMask(mask: MaskEvent): string {
  const stroma = percent(mask.stromapixels, mask.validpixels);
  const tissue = percent(mask.tissuepixels, mask.validpixels);
  return `patch ${mask.col},${mask.row}  stroma ${stroma}  tissue ${tissue}  ${size(mask.png.byteLength)}`;
}

function describeAggregate(aggregate: Aggregate): string {
  const state = aggregate.provisional ? '' : ' final';
  return `#${aggregate.revision}${state}  ${patches(aggregate.patches)}  ${areas(aggregate.area)}${iou(aggregate.iou)}`;
}

function describeSlide(event: SlideEvent): string {
  switch (event.state) {
    case 'opened': {
      const { width, height, mpp, grid, resumed, format, model } = event.payload;
      const again = resumed ? 'resumed, ' : '';
      return `${again}${format}  ${width} × ${height} px, ${mpp} µm/px  ${grid.cols * grid.rows} patches  ${model}`;
    }
    case 'progress': {
      const { fraction, patchesPerSecond, etaSeconds } = event.payload;
      const eta = etaSeconds === null ? '' : `  ${duration(etaSeconds)} to go`;
      return `${(fraction * 100).toFixed(0)} %  ${patchesPerSecond.toFixed(1)} patches/s${eta}`;
    }
    case 'completed':
    case 'incomplete': {
      const { payload } = event;
      const why = 'reason' in payload ? `${payload.reason}  ` : '';
      const sums = `${patches(payload.patches)}  ${areas(payload.area)}${iou(payload.iou)}`;
      return `${why}${sums}  in ${duration(payload.seconds)}`;
    }
    case 'failed':
      return `${event.payload.error.message} [${event.payload.error.code}]`;
  }
}

function describeLetter({ letter }: DeadLetterEvent): string {
  const place = letter.patch ? `patch ${letter.patch.col},${letter.patch.row}` : 'whole slide';
  return `${letter.stage}  ${place}  ${letter.error.message} [${letter.error.code}]`;
}

const columns = (kind: string, slide: string, rest: string): string => `${kind.padEnd(10)} ${slide}  ${rest}`;

function patches(counts: PatchCounts): string {
  const done = counts.segmented + counts.empty + counts.failed + counts.missing;
  const aside = (['empty', 'missing', 'failed'] as const).filter(name => counts[name] > 0);
  const notes = aside.length > 0 ? ` (${aside.map(name => `${counts[name]} ${name}`).join(', ')})` : '';
  return `${done}/${counts.expected} patches${notes}`;
}

const areas = (area: Areas): string => `stroma ${area.stromaMm2.toFixed(3)} of ${area.tissueMm2.toFixed(3)} mm² tissue`;

const iou = (sum: IouSum | undefined): string => (sum?.value == null ? '' : `  IoU ${sum.value.toFixed(4)}`);

const percent = (part: number, whole: number): string => `${whole > 0 ? ((part / whole) * 100).toFixed(0) : '0'} %`;

const size = (bytes: number): string => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`);

function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const rest = Math.round(seconds) % 60;
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
