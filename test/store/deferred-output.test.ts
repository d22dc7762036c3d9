import { describe, expect, it } from 'vitest';
import type { PatchRecord, PatchRef } from '#src/read/patch.js';
import { deferredOutput } from '#src/store/deferred-output.js';
import { openNoOutput } from '#src/store/no-output.js';
import type { SlideOutput } from '#src/store/output.js';
import { maskedSlide } from './slide-fixture.js';

const { patches, summary } = maskedSlide({ width: 100, height: 64 });
const records = patches.map(({ record }) => record);
const [first] = patches as unknown as [{ ref: PatchRef; record: PatchRecord }];

/** An output that notes what is asked of it. */
function recorder() {
  const asked: unknown[] = [];
  const output: SlideOutput = {
    folder: '/real',
    unpainted: [records[1]!],
    patch: async (ref, record, mask) => void asked.push(['patch', ref, record, mask]),
    resume: async given => {
      asked.push(['resume', given]);
      return [records[0]!];
    },
    finish: async given => {
      asked.push(['finish', given]);
      return { ...given, revision: 99 };
    },
    close: async () => void asked.push(['close']),
  };
  return { output, asked };
}

describe('an output that is still being opened', () => {
  it('has its folder at once, and does what it was asked to once it is open', async () => {
    const { output, asked } = recorder();
    let opened: (output: SlideOutput) => void = () => undefined;
    const deferred = deferredOutput(
      '/out/slide',
      new Promise(resolve => {
        opened = resolve;
      }),
    );
    expect([deferred.folder, deferred.unpainted]).toEqual(['/out/slide', []]);
    const results = [
      deferred.resume(records),
      deferred.patch(first.ref, first.record, undefined),
      deferred.finish(summary),
    ];
    await Promise.resolve();
    expect(asked).toEqual([]);
    opened(output);
    const [lost, , finished] = await Promise.all(results);
    expect(lost).toEqual([records[0]]);
    expect(finished).toEqual({ ...summary, revision: 99 });
    expect(deferred.unpainted).toEqual([records[1]]);
    await deferred.close();
    expect(asked).toEqual([
      ['resume', records],
      ['patch', first.ref, first.record, undefined],
      ['finish', summary],
      ['close'],
    ]);
  });

  it('fails the first patch with what opening failed with, and closes without a word', async () => {
    const reason = new Error('the folder cannot be made');
    const deferred = deferredOutput('/out/slide', Promise.reject(reason));
    for (const asked of [
      () => deferred.patch(first.ref, first.record, undefined),
      () => deferred.resume(records),
      () => deferred.finish(summary),
    ])
      await expect(asked()).rejects.toBe(reason);
    expect(deferred.unpainted).toEqual([]);
    await deferred.close();
  });
});

describe('an output that keeps nothing', () => {
  it('loses no patch, and gives the summary back as it was', async () => {
    const output = await openNoOutput({ folder: '/nowhere' });
    await output.patch(first.ref, first.record, undefined);
    expect(await output.resume(records)).toEqual([]);
    expect([output.unpainted, output.folder]).toEqual([[], '/nowhere']);
    expect(await output.finish(summary)).toBe(summary);
    await output.close();
  });
});
