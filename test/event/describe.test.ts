import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeEvent } from '#src/event/describe.js';
import { SLIDE_STATES } from '#src/event/subjects.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from './samples.js';

const events = createSampleEvents();

describe('describeEvent', () => {
  it('says each kind in one line', () => {
    const lines = [
      ...SLIDE_STATES.map(state => events.slide(state, slidePayloads[state])),
      events.mask(maskInput()),
      events.aggregate(aggregate, 'r'),
      events.dlq(deadLetter),
    ].map(describeEvent);
    expect(lines.map(line => line.replace(/[\d.]+ k?B$/, '… B')).join('\n')).toMatchInlineSnapshot(`
      "opened     S22-0412_A1  Aperio SVS  640 × 356 px, 0.2495 µm/px  20 patches  starter@0.1.0+1a2b3c4d
      progress   S22-0412_A1  90 %  21.3 patches/s
      completed  S22-0412_A1  18/20 patches (5 empty, 1 failed)  stroma 0.400 of 0.800 mm² tissue  IoU 0.8125  in 61.3 s
      incomplete S22-0412_A1  stalled  18/20 patches (5 empty, 1 failed)  stroma 0.400 of 0.800 mm² tissue  IoU 0.8125  in 61.3 s
      failed     S22-0412_A1  states no spacing [SLIDE_NO_MPP]
      mask       S22-0412_A1  patch 3,2  stroma 32 %  tissue 78 %  … B
      aggregate  S22-0412_A1  #7  18/20 patches (5 empty, 1 failed)  stroma 0.400 of 0.800 mm² tissue  IoU 0.8125
      dlq        S22-0412_A1  read  patch 3,2  tile 3,2 of level 1: not a JPEG [TILE_CORRUPT]"
    `);
  });

  it('leaves out what is not there', () => {
    const { iou, ...plain } = aggregate;
    expect(iou).toBeDefined();
    expect(describeEvent(events.aggregate(plain, 'r'))).not.toContain('IoU');
    const { patch, ...whole } = deadLetter;
    expect(patch).toBeDefined();
    expect(describeEvent(events.dlq(whole))).toContain('whole slide');
    const resumed = { ...slidePayloads.opened, resumed: true };
    expect(describeEvent(events.slide('opened', resumed))).toContain('resumed, Aperio SVS');
  });

  it.each([
    [0.04, '0.0 s'],
    [99.96, '100.0 s'],
    [100, '1 min 40 s'],
    [3599.7, '1 h 0 min'],
    [7260, '2 h 1 min'],
  ])('writes %s seconds as %s', (seconds, expected) => {
    expect(describeEvent(events.slide('completed', { ...slidePayloads.completed, seconds }))).toMatch(
      new RegExp(`in ${expected}$`),
    );
  });

  it('names an event it does not know and one that is broken', () => {
    const event = events.aggregate(aggregate, 'r');
    expect(describeEvent({ ...event, type: 'lab.note' })).toMatch(/^other +lab\.note {2}stroma\.v1/);
    expect(describeEvent({ ...event, data: new Uint8Array() })).toMatch(/^invalid +.*the data is not JSON$/);
  });

  it('lets nothing through that could steer a terminal', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('\u001b[2J', '\u202e', '\n', '\u0085', ''),
        (noise, code) => {
          const error = { ...slidePayloads.failed.error, message: noise + code + noise };
          const line = describeEvent(events.slide('failed', { ...slidePayloads.failed, error }));
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        },
      ),
    );
  });
});
