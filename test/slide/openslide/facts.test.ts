import { describe, expect, it } from 'vitest';
import { factsOf } from '#src/slide/openslide/ask-openslide.js';
import type { OpenSlideFacts } from '#src/slide/openslide/protocol.js';
import type { SlideFacts } from '#src/slide/slide-facts.js';

const LEVEL = { width: 6000, height: 5000, downsample: 1 };

function facts(properties: Record<string, string> = {}, more: Partial<OpenSlideFacts> = {}): SlideFacts {
  const stated = { version: '4.0.1', vendor: 'mirax', levels: [LEVEL], ...more };
  const found = factsOf('/scans/a.mrxs', { ...stated, properties: properties as OpenSlideFacts['properties'] });
  if (!('levels' in found)) throw new Error(found.why);
  return found;
}

const bounds = (x: string, y: string, width: string, height: string) => ({
  'openslide.bounds-x': x,
  'openslide.bounds-y': y,
  'openslide.bounds-width': width,
  'openslide.bounds-height': height,
});

describe('the scanned part of a slide', () => {
  it('is what OpenSlide states, with a note', () => {
    const { bounds: part, notes } = facts(bounds('1000', '1400', '2048', '1024'));
    expect(part).toEqual({ x: 1000, y: 1400, width: 2048, height: 1024 });
    expect(notes).toEqual([
      { code: 'sparse', message: expect.stringContaining('2048 × 1024 of its 6000 × 5000 pixels were scanned') },
    ]);
  });

  it.each([
    ['is not stated', {}],
    ['is stated in part', { 'openslide.bounds-x': '5', 'openslide.bounds-y': '5' }],
    ['is all of the frame', bounds('0', '0', '6000', '5000')],
    ['reaches beyond all of it', bounds('-10', '-10', '7000', '6000')],
    ['is empty', bounds('10', '10', '0', '20')],
    ['lies outside', bounds('6000', '0', '10', '10')],
    ['is no number', bounds('a', 'b', 'c', 'd')],
  ])('is left out where it %s', (_, properties) => {
    expect(facts(properties)).not.toHaveProperty('bounds');
    expect(facts(properties)).not.toHaveProperty('notes');
  });

  it('is cut to the frame', () => {
    expect(facts(bounds('-5', '4990', '100', '100')).bounds).toEqual({ x: 0, y: 4990, width: 95, height: 10 });
  });
});

describe('the spacing', () => {
  it.each([
    ['both axes', { 'openslide.mpp-x': '0.25', 'openslide.mpp-y': '0.26' }, { x: 0.25, y: 0.26 }],
    ['one of them', { 'openslide.mpp-x': '0.25' }, 0.25],
    ['the other', { 'openslide.mpp-y': '0.25' }, 0.25],
    ['decimal commas', { 'openslide.mpp-x': '0,25', 'openslide.mpp-y': '0,25' }, { x: 0.25, y: 0.25 }],
    ['nothing', {}, undefined],
    ['nonsense', { 'openslide.mpp-x': '-1', 'openslide.mpp-y': 'fine' }, undefined],
    ['a resolution that its vendor does not mean', { 'tiff.XResolution': '20000' }, undefined],
  ])('by %s', (_, properties, spacing) => expect(facts(properties).mpp).toEqual(spacing));

  it.each([
    [
      'centimetres',
      { 'tiff.XResolution': '20000', 'tiff.YResolution': '10000', 'tiff.ResolutionUnit': 'centimeter' },
      { x: 0.5, y: 1 },
    ],
    ['inches', { 'tiff.XResolution': '50800', 'tiff.YResolution': '50800' }, { x: 0.5, y: 0.5 }],
    ['a printer’s', { 'tiff.XResolution': '72', 'tiff.YResolution': '72', 'tiff.ResolutionUnit': 'inch' }, undefined],
    ['no unit', { 'tiff.XResolution': '20000', 'tiff.YResolution': '20000', 'tiff.ResolutionUnit': 'none' }, undefined],
  ])('of a TIFF without a vendor by its resolution in %s', (_, properties, spacing) =>
    expect(facts(properties, { vendor: 'generic-tiff' }).mpp).toEqual(spacing),
  );
});

describe('the levels', () => {
  it.each<[string | undefined, number]>([
    [undefined, 512],
    ['100', 500],
    ['240', 480],
    ['256', 512],
    ['400', 400],
    ['512', 512],
    ['1024', 1024],
    ['4096', 2048],
    ['none', 512],
  ])('of stored tiles of %s are read by %i pixels', (stored, side) => {
    const level = stored === undefined ? LEVEL : { ...LEVEL, tileWidth: stored, tileHeight: stored };
    expect(facts({}, { levels: [level] }).levels).toEqual([{ ...LEVEL, tileWidth: side, tileHeight: side }]);
  });

  it('keep OpenSlide’s numbers', () => {
    const found = facts({}, { levels: [LEVEL, { width: 1500, height: 1250, downsample: 4 }] });
    const described = found.describe(found.levels.map(level => ({ ...level, mpp: level.downsample / 4 })));
    expect(described).toMatchObject({
      kind: 'openslide',
      path: '/scans/a.mrxs',
      levels: [
        { number: 0, mpp: 0.25 },
        { number: 1, mpp: 1 },
      ],
    });
  });

  it('must be there, and have a size', () => {
    const none = (levels: OpenSlideFacts['levels']) =>
      factsOf('a', { version: '4.0.1', vendor: 'mirax', levels, properties: {} });
    expect(none([])).toEqual({ version: '4.0.1', why: 'states no level' });
    expect(none([LEVEL, { width: -1, height: -1, downsample: -1 }])).toEqual({
      version: '4.0.1',
      why: 'states no level',
    });
  });
});

it('a name of a vendor that is new is shown without what it may hold', () => {
  expect(facts({}, { vendor: 'future\u001b[31m' }).format).toBe('future31m (OpenSlide)');
  expect(facts({ 'openslide.objective-power': '20' }).properties).toEqual({
    reader: 'OpenSlide 4.0.1',
    objective: '20',
  });
});
