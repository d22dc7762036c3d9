import { execFile } from 'node:child_process';

/** A GPU as nvidia-smi reports it. */
export interface NvidiaGpu {
  /** As in `--devices`. */
  readonly index: number;
  readonly name: string;
  /** Bytes; undefined where the GPU does not say. */
  readonly memoryTotal: number | undefined;
  readonly memoryFree: number | undefined;
  readonly driver: string;
}

export interface NvidiaReport {
  readonly gpus: readonly NvidiaGpu[];
  /** Why there are none although nvidia-smi is installed. */
  readonly problem?: string;
}

const QUERY = ['--query-gpu=name,memory.total,memory.free,driver_version', '--format=csv,noheader'];
const PATIENCE_MS = 20_000;

/** Asks nvidia-smi for the GPUs of this machine; undefined where it is not installed. Never rejects. */
export function readNvidia(): Promise<NvidiaReport | undefined> {
  return new Promise(resolve => {
    execFile('nvidia-smi', QUERY, { timeout: PATIENCE_MS, windowsHide: true }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') return resolve(undefined);
      if (error) {
        const said = `${stdout}\n${stderr}`.split('\n').find(line => line.trim() !== '');
        const how = error.killed ? `no answer within ${PATIENCE_MS / 1000} s` : `exit status ${error.code}`;
        return resolve({ gpus: [], problem: `nvidia-smi failed: ${(said ?? how).trim().slice(0, 200)}` });
      }
      const gpus = parseNvidiaSmi(stdout);
      resolve(gpus.length > 0 ? { gpus } : { gpus, problem: 'nvidia-smi names no GPU' });
    });
  });
}

/**
 * Lines of `nvidia-smi --query-gpu=name,memory.total,memory.free,driver_version --format=csv,noheader`, such as
 * `NVIDIA L4, 23034 MiB, 22563 MiB, 550.54.15`; a field the GPU does not know is `[N/A]` or `[Not Supported]`. Other lines are left out.
 */
export function parseNvidiaSmi(text: string): NvidiaGpu[] {
  const gpus: NvidiaGpu[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^(.*\S)\s*, (\d+ MiB|\[[^\]]*\]), (\d+ MiB|\[[^\]]*\]), (\S+)\s*$/.exec(line);
    if (!match) continue;
    const [, name, total, free, driver] = match as unknown as [string, string, string, string, string];
    gpus.push({ index: gpus.length, name, memoryTotal: bytes(total), memoryFree: bytes(free), driver });
  }
  return gpus;
}

const bytes = (field: string): number | undefined => {
  const mebibytes = /^(\d+) MiB$/.exec(field);
  return mebibytes ? Number(mebibytes[1]) * 2 ** 20 : undefined;
};
