import { describe, expect, it } from 'vitest';
import { devicesOf } from '#pipelines/models.js';

describe('--devices', () => {
  it.each([
    [undefined, [0]],
    ['0', [0]],
    ['1, 0', [1, 0]],
    ['12', [12]],
  ])('%j is %j', (list, expected) => {
    expect(devicesOf({ devices: list })).toEqual(expected);
  });

  it.each(['', ' ', '0,', ',1', '0,0', '1,01', '-1', '0x1', '1e1', '1.5', 'gpu', '0;1', '1000'])(
    '%j is refused',
    list => {
      expect(() => devicesOf({ devices: list })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(JSON.stringify(list)) }),
      );
    },
  );
});
