import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { parseNvidiaSmi, readNvidia } from '#src/doctor/nvidia.js';
import { emptyFolder } from '../support/paths.js';

const path = process.env['PATH'];
afterEach(() => {
  process.env['PATH'] = path;
});

/** Puts a program called nvidia-smi before all others; returns its folder. */
async function pretend(script: string): Promise<string> {
  const folder = await emptyFolder();
  await writeFile(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'nvidia-smi'), 0o755);
  process.env['PATH'] = `${folder}:/usr/bin:/bin`;
  return folder;
}

const GIB = 2 ** 30;

describe('nvidia-smi', () => {
  test('is asked in the form it documents, and all its GPUs are read', async () => {
    const folder = await pretend(
      'echo "$@" > "$(dirname "$0")/asked"; echo "NVIDIA A100-SXM4-40GB, 40960 MiB, 40442 MiB, 535.104.05"; echo "NVIDIA L4, 23034 MiB, 1024 MiB, 535.104.05"',
    );
    expect(await readNvidia()).toEqual({
      gpus: [
        {
          index: 0,
          name: 'NVIDIA A100-SXM4-40GB',
          memoryTotal: 40 * GIB,
          memoryFree: 40442 * 2 ** 20,
          driver: '535.104.05',
        },
        { index: 1, name: 'NVIDIA L4', memoryTotal: 23034 * 2 ** 20, memoryFree: GIB, driver: '535.104.05' },
      ],
    });
    const asked = await readFile(join(folder, 'asked'), 'utf8');
    expect(asked.trim()).toBe('--query-gpu=name,memory.total,memory.free,driver_version --format=csv,noheader');
  });

  test('that is not installed is no finding at all', async () => {
    process.env['PATH'] = await emptyFolder();
    expect(await readNvidia()).toBeUndefined();
  });

  test('that fails says why', async () => {
    await pretend('echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9');
    expect(await readNvidia()).toEqual({
      gpus: [],
      problem: expect.stringMatching(/^nvidia-smi failed: NVIDIA-SMI has/),
    });
    await pretend('exit 3');
    expect(await readNvidia()).toEqual({ gpus: [], problem: 'nvidia-smi failed: exit status 3' });
  });

  test('that answers something else names no GPU', async () => {
    await pretend('echo "No devices were found"');
    expect(await readNvidia()).toEqual({ gpus: [], problem: 'nvidia-smi names no GPU' });
  });
});

describe('its lines', () => {
  test('memory that a GPU does not know is left open', () => {
    expect(parseNvidiaSmi('NVIDIA GB10, [N/A], [Not Supported], 580.1\r\n')).toEqual([
      { index: 0, name: 'NVIDIA GB10', memoryTotal: undefined, memoryFree: undefined, driver: '580.1' },
    ]);
  });

  test('of any GPU come back, between any garbage', () => {
    const gpu = fc.record({
      name: fc.stringMatching(/^NVIDIA [A-Za-z0-9][A-Za-z0-9 ,/-]{0,20}[A-Za-z0-9]$/),
      total: fc.nat({ max: 500_000 }),
      free: fc.nat({ max: 500_000 }),
      driver: fc.stringMatching(/^\d{3}\.\d{2,3}(\.\d{2})?$/),
    });
    const garbage = fc.string().filter(text => !/MiB|\[|[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(fc.tuple(gpu, garbage)), gpus => {
        const text = gpus.map(
          ([{ name, total, free, driver }, noise]) => `${noise}\n${name}, ${total} MiB, ${free} MiB, ${driver}`,
        );
        expect(parseNvidiaSmi(text.join('\n'))).toEqual(
          gpus.map(([{ name, total, free, driver }], index) => ({
            index,
            name,
            memoryTotal: total * 2 ** 20,
            memoryFree: free * 2 ** 20,
            driver,
          })),
        );
      }),
    );
  });

  test('nothing is made of anything', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(parseNvidiaSmi(text)).toEqual([]);
      }),
    );
  });
});
