import { createRequire } from 'node:module';

/**
 * Ends the process with a status, whatever its threads do. process.exit waits for each of them to come out of native code, which
 * takes a codec seconds, and one that then finds itself stopped takes the status with it.
 */
export function exitNow(status: number): never {
  process.emit('exit', status);
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    koffi.load(null).func('void _exit(int)')(status);
  } catch {
    // Not installed, which it need not be: the process is killed, which a shell gives as 130 as well.
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, 'SIGINT');
  }
  process.exit(status);
}
