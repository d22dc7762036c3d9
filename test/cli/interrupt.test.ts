import { afterEach, describe, expect, it, vi } from 'vitest';
import { interruptible } from '#src/cli/interrupt.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Listeners that were there before, the test runner's own among them, do not hear of it. */
const before = SIGNALS.map(name => process.listeners(name));
const raise = (name: (typeof SIGNALS)[number]): void => {
  for (const listener of process.listeners(name))
    if (!before[SIGNALS.indexOf(name)]!.includes(listener)) listener(name);
};
afterEach(() => vi.restoreAllMocks());

describe.each(SIGNALS)('%s', name => {
  it('aborts at first, and ends the process when it comes again, whichever it was', () => {
    // Nothing comes after the end of a process.
    const exit = vi.spyOn(process, 'exit').mockImplementation(status => {
      throw new Error(`ended with ${status}`);
    });
    const heard: string[] = [];
    const { signal, dispose } = interruptible(which => {
      // Told before anything ends, so that the line stands above what that prints.
      expect(signal.aborted).toBe(false);
      heard.push(which);
    });
    raise(name);
    expect([signal.aborted, heard]).toEqual([true, [name]]);
    expect(exit).not.toHaveBeenCalled();
    expect(() => raise(name === 'SIGINT' ? 'SIGTERM' : 'SIGINT')).toThrow('ended with 130');
    expect(heard).toEqual([name]);
    dispose();
  });

  it('lets go of what must be ended first, and ends whatever becomes of that', async () => {
    const ended = new Promise<unknown>(resolve => {
      vi.spyOn(process, 'exit').mockImplementation(status => resolve(status) as never);
    });
    const gone: string[] = [];
    const { atOnce, dispose } = interruptible(() => undefined);
    atOnce(async () => void gone.push('threads'));
    atOnce(() => Promise.reject(new Error('cannot')));
    atOnce(async () => void gone.push('taken back'))();
    raise(name);
    expect(gone).toEqual([]);
    raise(name);
    expect(await ended).toBe(130);
    expect(gone).toEqual(['threads']);
    dispose();
  });

  it('is somebody else’s again when the command is over', () => {
    const heard: string[] = [];
    const { signal, dispose } = interruptible(which => heard.push(which));
    dispose();
    expect(process.listeners(name)).toEqual(before[SIGNALS.indexOf(name)]);
    raise(name);
    expect([signal.aborted, heard]).toEqual([false, []]);
  });
});
