import { expect, it } from 'vitest';
import { readWhenWhole } from '#src/live/read-when-whole.js';

/** Fails so many times, then has a tile. */
function torn(times: number) {
  let reads = 0;
  return {
    read: async () => {
      reads += 1;
      if (reads <= times) throw new Error('its directory is being written');
      return [7];
    },
    reads: () => reads,
  };
}

it('reads again what was read while it was written', async () => {
  for (const times of [0, 1, 3]) {
    const { read, reads } = torn(times);
    expect([await readWhenWhole(read), reads()]).toEqual([[7], times + 1]);
  }
});

it('knows nothing of what stays torn', async () => {
  const { read, reads } = torn(99);
  expect([await readWhenWhole(read), reads()]).toEqual([undefined, 4]);
});
