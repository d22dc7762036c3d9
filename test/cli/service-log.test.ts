import { afterEach, beforeEach, expect, it } from 'vitest';
import { sayPresence } from '#src/cli/folder-log.js';
import { ServiceLog } from '#src/cli/service-log.js';
import { timed } from '#src/cli/terminal.js';
import { capture, type Written } from './capture.js';

let written: Written;
beforeEach(() => {
  written = capture();
});
afterEach(() => written.restore());

const bus = { description: 'nats://lab (server 2.9.10)', connected: true };
const session = (resumedPatches: number, notes?: { code: 'sparse'; message: string }[]) =>
  ({
    slide: {
      ...{ id: 'S1', path: '/x/S1.svs', format: 'Aperio SVS', mpp: 0.24987, fingerprint: '', properties: {} },
      levels: [{ width: 1000, height: 800, downsample: 1, mpp: 0.24987, tileWidth: 256, tileHeight: 256 }],
      ...(notes ? { notes } : {}),
    },
    plan: { cols: 3, rows: 2 },
    resumedPatches,
  }) as unknown as Parameters<ServiceLog['opened']>[0];

it('says each slide that is opened, what was done of it before, and what must be known of it', () => {
  const log = new ServiceLog(written.terminal, bus);
  log.opened(session(0));
  log.opened(session(4, [{ code: 'sparse', message: 'glass was not scanned' }]));
  expect(written.lines).toEqual([
    'S1: opened, Aperio SVS, 1000 × 800 px at 0.2499 µm, 6 patches',
    'S1: opened, Aperio SVS, 1000 × 800 px at 0.2499 µm, 6 patches, 4 of them done before',
    'S1: glass was not scanned',
  ]);
  expect(written.values[1]).toMatchObject({
    event: 'opened',
    slide: 'S1',
    resumedPatches: 4,
    notes: [{ code: 'sparse' }],
  });
});

it('says that the bus went and came back, once each', () => {
  const state = { ...bus };
  const log = new ServiceLog(written.terminal, state);
  log.look();
  state.connected = false;
  log.look();
  log.look();
  state.connected = true;
  log.look();
  expect(written.errors).toEqual([`stromaflow: bus        ${bus.description} is away: events wait for it\n`]);
  expect(written.lines).toEqual([`bus        ${bus.description} is back`]);
  expect(written.values).toEqual([
    { event: 'bus-away', bus: bus.description },
    { event: 'bus-back', bus: bus.description },
  ]);
});

it('says that the watched folder went and came back, as it says everything else', () => {
  const terminal = timed(written.terminal, () => new Date('2026-03-01T09:00:00.123Z'));
  sayPresence({ folder: '/scans', away: '/scans: does not answer', seconds: 0 }, terminal);
  sayPresence({ folder: '/scans', away: undefined, seconds: 12.4 }, terminal);
  expect(written.errors).toEqual([
    'stromaflow: 2026-03-01T09:00:00Z /scans: does not answer; its slides wait until it is back\n',
    'stromaflow: 2026-03-01T09:00:00Z /scans: is back after 12 s; its slides go on\n',
  ]);
  expect(written.values).toEqual([
    { time: '2026-03-01T09:00:00Z', event: 'folder-away', folder: '/scans', reason: '/scans: does not answer' },
    { time: '2026-03-01T09:00:00Z', event: 'folder-back', folder: '/scans', seconds: 12.4 },
  ]);
});
