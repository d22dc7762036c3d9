import { describe, expect, it } from 'vitest';
import { createEvents, modelTag, runToken } from '#src/event/contract.js';
import { SLIDE_STATES } from '#src/event/subjects.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, SITE, slidePayloads, TIME } from './samples.js';

const events = createSampleEvents();
const jsonOf = (event: { data: Uint8Array }): unknown => JSON.parse(new TextDecoder().decode(event.data));

describe('createEvents', () => {
  it('makes a mask event: a picture, with its facts as attributes', () => {
    const input = maskInput();
    const event = events.mask(input);
    expect(event).toEqual({
      subject: 'stroma.v1.Sint-Jan.GT__20450__20__E2__84__962.mask.S22-0412_A1.3.2',
      id: 'S22-0412_A1/0.1.0+1a2b3c4d/1/3/2@a1b2c3d4e5f6',
      type: 'stromaflow.mask.v1',
      source: '/stromaflow/Sint-Jan/GT%20450%20%E2%84%962',
      time: TIME,
      contentType: 'image/png',
      extensions: {
        slide: 'S22-0412_A1',
        run: 'a1b2c3d4e5f6',
        level: '1',
        col: '3',
        row: '2',
        x: '384',
        y: '256',
        width: '128',
        height: '100',
        side: '64',
        mpp: '0.499',
        downsample: '2',
        model: 'starter',
        modelversion: '0.1.0+1a2b3c4d',
        stromapixels: '1024',
        tissuepixels: '2500',
        validpixels: '3200',
      },
      data: input.png,
    });
  });

  it('adds the label counts where there are labels', () => {
    const input = maskInput();
    const event = events.mask({ ...input, record: { ...input.record, intersection: 900, union: 1100 } });
    expect(event.extensions).toMatchObject({ intersection: '900', union: '1100' });
  });

  it('says where the scanned part of the slide begins, where there is such a thing', () => {
    const input = maskInput();
    const bounds = { x: 100, y: 40, width: 500, height: 300 };
    expect(events.mask({ ...input, plan: { ...input.plan, bounds } }).extensions).toMatchObject({
      x: '384',
      y: '256',
      boundsx: '100',
      boundsy: '40',
    });
  });

  it('gives the same patch the same id, and every other effect another', () => {
    const input = maskInput();
    const same = createEvents(SITE).mask({ ...input, record: { ...input.record, stromaPixels: 1 } });
    expect(same.id).toBe(events.mask(input).id);
    const others = [
      maskInput({ col: 4 }),
      maskInput({ row: 3 }),
      maskInput({ level: 0 }),
      maskInput({ slide: 'S2' }),
      { ...input, run: 'ffffffffffff' },
      { ...input, engine: { ...input.engine, modelVersion: '0.2.0' } },
    ].map(other => events.mask(other).id);
    expect(new Set([events.mask(input).id, ...others]).size).toBe(others.length + 1);
  });

  it('makes aggregates whose id follows run and revision', () => {
    const event = events.aggregate(aggregate, 'r1');
    expect(event).toMatchObject({ type: 'stromaflow.aggregate.v1', contentType: 'application/json' });
    expect(event.subject).toMatch(/\.aggregate\.S22-0412_A1$/);
    expect(jsonOf(event)).toEqual(aggregate);
    const ids = [event, events.aggregate(aggregate, 'r2'), events.aggregate({ ...aggregate, revision: 8 }, 'r1')];
    expect(new Set(ids.map(({ id }) => id)).size).toBe(3);
  });

  it.each(SLIDE_STATES)('makes slide %s', state => {
    const event = events.slide(state, slidePayloads[state]);
    expect(event.subject).toMatch(new RegExp(`\\.slide\\.${state}\\.S22-0412_A1$`));
    expect(event.type).toBe(`stromaflow.slide.${state}.v1`);
    expect(event.extensions['run']).toBe(state === 'failed' ? 'none' : 'a1b2c3d4e5f6');
    expect(jsonOf(event)).toEqual(slidePayloads[state]);
  });

  it('tells failures of a slide that never opened apart by content and reason, not by their time', () => {
    const later = createEvents({ ...SITE, now: () => new Date('2026-03-02T00:00:00Z') });
    const { failed } = slidePayloads;
    const { id } = events.slide('failed', failed, 'aa');
    expect(later.slide('failed', failed, 'aa').id).toBe(id);
    const other = { ...failed, error: { ...failed.error, code: 'SLIDE_TRUNCATED' } };
    const ids = [
      events.slide('failed', failed, 'bb'),
      events.slide('failed', failed),
      events.slide('failed', other, 'aa'),
    ];
    expect(new Set([id, ...ids.map(event => event.id)]).size).toBe(4);
  });

  it('makes dead letters of a patch and of a whole slide', () => {
    const event = events.dlq(deadLetter);
    expect(event.subject).toMatch(/\.dlq\.read\.S22-0412_A1$/);
    expect(event.type).toBe('stromaflow.dlq.read.v1');
    expect(jsonOf(event)).toEqual(deadLetter);
    const { patch, ...whole } = deadLetter;
    expect(events.dlq(whole).id).not.toBe(event.id);
    expect(patch).toBeDefined();
  });

  it('refuses a prefix, site or scanner that cannot stand in a subject, at once', () => {
    for (const bad of [{ prefix: 'a.*' }, { site: '' }, { scanner: '' }]) {
      expect(() => createEvents({ ...SITE, ...bad })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    }
  });
});

describe('runToken', () => {
  const key = { slide: 'S1', fingerprint: 'f', modelVersion: '1', plan: 'p' };

  it('changes with every part of the key and with nothing else', () => {
    const tokens = [
      key,
      { ...key, slide: 'S2' },
      { ...key, fingerprint: 'g' },
      { ...key, modelVersion: '2' },
      { ...key, plan: 'q' },
    ];
    expect(new Set(tokens.map(runToken)).size).toBe(tokens.length);
    expect(runToken({ ...key })).toBe(runToken(key));
    expect(runToken(key)).toMatch(/^[0-9a-f]{12}$/);
  });

  it('does not confuse parts that join to the same text', () => {
    expect(runToken({ ...key, slide: 'S1f', fingerprint: '' })).not.toBe(runToken(key));
  });
});

it('modelTag joins name and version', () => {
  expect(modelTag({ model: 'm', modelVersion: '1+ab' })).toBe('m@1+ab');
});
