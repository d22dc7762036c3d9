import { fromHeaders, toHeaders } from '#src/event/cloudevent-headers.js';
import { createEvents } from '#src/event/contract.js';
import { decodeEvent } from '#src/event/decode.js';
import { describeEvent } from '#src/event/describe.js';
import { encodeMaskPng } from '#src/mask/png.js';
import { textSeed } from '../corpus.mjs';
import { mutatePng } from '../mutate-png.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB } from './read-slide.mjs';

const SIDE = 64;
const PNG = Buffer.from(
  encodeMaskPng({ width: SIDE, height: SIDE, bits: new Uint8Array((SIDE * SIDE) / 8).fill(0x5a) }),
);
const events = createEvents({ site: 'site', scanner: 'scanner', now: () => new Date(0) });
const run = 'a1b2c3d4e5f6';
const patches = { expected: 20, segmented: 12, empty: 5, missing: 0, failed: 1 };
const area = { stromaMm2: 0.4, tissueMm2: 0.8, stromaFraction: 0.5 };
const tail = { slide: 'S1', revision: 7, patches, area, model: 'm@1' };

const mask = events.mask({
  ref: { slide: 'S1', level: 0, col: 1, row: 2, x: 64, y: 128, width: 64, height: 64 },
  record: { level: 0, col: 1, row: 2, outcome: 'segmented', validPixels: 4096, tissuePixels: 3000, stromaPixels: 2000 },
  png: PNG,
  plan: {
    slide: 'S1',
    level: 0,
    scale: 1,
    downsample: 1,
    mpp: 0.5,
    patchSize: SIDE,
    margin: 0,
    core: SIDE,
    cols: 5,
    rows: 4,
    width: 320,
    height: 256,
    slideWidth: 320,
    slideHeight: 256,
  },
  engine: { model: 'm', modelVersion: '1' },
  run,
});

/** A message as text: the subject, its headers, an empty line, its data. */
const textOf = event =>
  textSeed(
    event.type,
    [
      event.subject,
      ...toHeaders(event).map(([name, value]) => `${name}: ${value}`),
      '',
      Buffer.from(event.data).toString(),
    ].join('\n'),
  );

function eventOf(bytes) {
  const end = bytes.indexOf('\n\n');
  const [subject = '', ...lines] = bytes.toString('utf8', 0, end < 0 ? bytes.length : end).split('\n');
  const headers = lines.map(line => /^([^:]*): ?(.*)$/s.exec(line)?.slice(1) ?? [line, '']);
  return fromHeaders(subject, headers, end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 2));
}

function read(event) {
  if (!event) return;
  describeEvent(event);
  const decoded = decodeEvent(event);
  if (decoded?.kind === 'mask') decoded.bits.at(0);
}

const CODES = ['EVENT_INVALID', 'MASK_INVALID'];

/** What anybody on the bus may publish under our subjects. */
export const EVENTS = [
  {
    name: 'event',
    seeds: () =>
      [
        mask,
        events.aggregate(
          { ...tail, provisional: true, mpp: 0.5, updatedAt: '2026-03-01T09:30:00.000Z', iou: undefined },
          run,
        ),
        events.slide('completed', { ...tail, run, seconds: 61.25 }),
        events.slide('failed', { slide: 'S1', error: { code: 'SLIDE_NO_MPP', message: 'no spacing', fix: 'give it' } }),
      ].map(textOf),
    mutate: mutateText,
    codes: CODES,
    bound: { base: MIB, perByte: 64 },
    run: bytes => read(eventOf(bytes)),
  },
  {
    name: 'event-mask',
    seeds: () => [{ name: 'mask', bytes: PNG }],
    mutate: mutatePng,
    codes: CODES,
    bound: { base: MIB, perByte: 4096 },
    run: bytes => read({ ...mask, data: bytes }),
  },
];
