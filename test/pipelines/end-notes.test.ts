import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { decodeEvent } from '#src/event/decode.js';
import { MANIFEST, tileOf, tileSetFolder } from '../live/tile-set-folder.js';
import { happened, watchFor } from './live-support.js';

/** Few of its tiles may lie outside: ten across. */
const WIDE = { ...MANIFEST, width: 80, height: 80 };

it('tells subscribers and summary.json of tiles outside of a slide that grew, which only its end tells', async () => {
  const set = tileSetFolder(WIDE);
  const { results, events } = await watchFor(1, { folder: dirname(set.folder) }, async (_folder, signal) => {
    const opened = happened('opened', signal);
    set.put('X0Y0.png', await tileOf(1));
    await opened;
    set.put('X11Y2.png', await tileOf(9));
    for (let tile = 1; tile < 100; tile++) set.put(`X${tile % 10}Y${Math.floor(tile / 10)}.png`, await tileOf(tile));
  });
  const stray = expect.objectContaining({ message: expect.stringMatching(/^1 of 101 images lie outside/) });
  expect(results).toMatchObject([{ state: 'completed', summary: { notes: expect.arrayContaining([stray]) } }]);
  const slides = events.map(event => decodeEvent(event)!).flatMap(event => (event.kind === 'slide' ? [event] : []));
  const notesOf = (state: string) => slides.find(event => event.state === state)!.payload;
  expect(notesOf('opened')).not.toMatchObject({ notes: expect.arrayContaining([stray]) });
  expect(notesOf('completed')).toMatchObject({ notes: expect.arrayContaining([stray]) });
});
