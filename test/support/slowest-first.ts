import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, longest first: started last, one of them would run on alone beside an idle core. */
const SLOW = [
  'train/parity.test.ts',
  'engine/parity.test.ts',
  'cli/commands.test.ts',
  'package/package.test.ts',
  'pipelines/watch-random.test.ts',
  'cli/engine-life.test.ts',
  'cli/doctor.test.ts',
  'engine/decoder-parity.test.ts',
  'cli/model.test.ts',
  'cli/replay.test.ts',
  'train/refusals.test.ts',
  'engine/telemetry.test.ts',
  'pipelines/kills.test.ts',
  'engine/freeze.test.ts',
  'engine/quantise.test.ts',
  'engine/not-finite.test.ts',
  'engine/parity-gpu.test.ts',
  'pipelines/pyramid-live.test.ts',
  'pipelines/faulty-scans.test.ts',
  'cli/labels.test.ts',
  'view/viewer.test.ts',
  'pipelines/workers.test.ts',
  'pipelines/fit-norms.test.ts',
  'pipelines/dicom-faults.test.ts',
  'pipelines/dicom-live.test.ts',
  'cli/truths.test.ts',
  'fuzz/fuzz.test.ts',
  'pipelines/finished-folders.test.ts',
  'engine/choose.test.ts',
];

/** The slow files, then the others as vitest orders them. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = SLOW.findIndex(name => moduleId.endsWith(`/test/${name}`));
      return at < 0 ? SLOW.length : at;
    };
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}
