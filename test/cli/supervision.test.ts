import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Faults } from '#src/cli/faults.js';
import { labelledSetOptions, labelMapOptions } from '#src/cli/label-options.js';
import { superviseEngine } from '#src/cli/supervise-engine.js';
import { loadConfig } from '#src/config/load.js';
import type { EngineEvent } from '#src/engine/pool.js';
import { StromaflowError } from '#src/errors.js';
import { capture, type Written } from './capture.js';

let written: Written;
beforeEach(() => {
  written = capture();
});
afterEach(() => written.restore());

describe('an engine under supervision', () => {
  const error = new StromaflowError('ENGINE_FAILED', 'no device');
  const open = () => {
    const events = new Subject<EngineEvent>();
    const heard: EngineEvent[] = [];
    return { events, heard, engine: superviseEngine(events, event => heard.push(event), written.terminal.problem) };
  };

  it('that restarts, or is short of memory, is said so in a line each, and goes on', () => {
    const { events, heard, engine } = open();
    events.next({ type: 'restarted', failures: 3, error });
    events.next({ type: 'batch-lowered', batch: 2 });
    expect(written.errors).toEqual([
      'stromaflow: the engine was started again (failures in a row: 3; the last: no device)\n',
      'stromaflow: memory was short: batches of at most 2 from now on\n',
    ]);
    expect(heard.map(({ type }) => type)).toEqual(['restarted', 'batch-lowered']);
    expect([engine.signal.aborted, engine.failure]).toEqual([false, undefined]);
  });

  it('that is given up stops everything, with its reason and what to do', () => {
    const { events, engine } = open();
    events.next({ type: 'gave-up', error });
    expect(engine.signal.aborted).toBe(true);
    expect(engine.failure).toBe(error);
    expect(written.errors).toEqual([`stromaflow: ${error.line}\n`]);
  });

  it('leaves patches that are given up to the dead letters, and hears nothing once it is stopped', () => {
    const { events, heard, engine } = open();
    events.next({ type: 'quarantined', slot: 4, error } as EngineEvent);
    expect([heard.length, written.errors]).toEqual([1, []]);
    engine.stop();
    events.next({ type: 'gave-up', error });
    expect([heard.length, engine.signal.aborted]).toEqual([1, false]);
  });
});

describe('faults of a labelled set', () => {
  const fault = (message: string) => new StromaflowError('LABELS_INVALID', message);

  it('are each said once, however often they are met, and all kept', () => {
    const faults = new Faults(false);
    for (const message of ['a.png: no mask', 'b.png: value 9', 'a.png: no mask']) faults.add(fault(message));
    expect(written.errors.map(line => line.split(' [')[0])).toEqual([
      'stromaflow: a.png: no mask',
      'stromaflow: b.png: value 9',
    ]);
    expect(faults.list.map(({ message }) => message)).toEqual(['a.png: no mask', 'b.png: value 9']);
  });

  it('stop a strict walk at the first, which is thrown and not printed', () => {
    const faults = new Faults(true);
    const first = fault('a.png: no mask');
    expect(() => faults.add(first)).toThrow(first);
    expect([written.errors, faults.list]).toEqual([[], []]);
  });
});

describe('what the command line says of labels', () => {
  it('is handed on as it was given, and only what was', async () => {
    const given = { positive: '2,6', ignore: '0', negative: '1', colours: '#ff0000=2' };
    expect(labelMapOptions((await loadConfig(given, {})).config)).toEqual(given);
    expect(labelledSetOptions((await loadConfig({}, {})).config)).toEqual({ reading: { objects: 'annotations' } });
    const more = { ...given, mpp: '0.25', labels: 'masks', patient: '^(p\\d+)_' };
    const classes = [{ value: 1, name: 'stroma', meaning: 'positive' }] as const;
    expect(labelledSetOptions((await loadConfig(more, {})).config, classes)).toEqual({
      ...given,
      mpp: 0.25,
      labels: 'masks',
      patient: /^(p\d+)_/,
      fallbackClasses: classes,
      reading: { objects: 'annotations' },
    });
  });

  it('is refused where --patient is no regular expression, with one that is', async () => {
    const { config } = await loadConfig({ patient: '(case' }, {});
    expect(() => labelledSetOptions(config)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: "--patient: '(case' is no regular expression",
        fix: expect.stringContaining('^(case-[0-9]+)_'),
      }),
    );
  });
});
