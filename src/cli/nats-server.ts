import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StromaflowError } from '../errors.js';

export interface LocalNatsServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Full path of a program, looked up on the PATH and where Debian puts servers. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .filter(Boolean)
    .map(folder => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts a nats-server of one's own on a free loopback port; it dies with this process. */
export async function startNatsServer(program: string): Promise<LocalNatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'stromaflow-nats-'));
  const server = spawn(program, ['-a', '127.0.0.1', '-p', '-1', '--ports_file_dir', folder], { stdio: 'ignore' });
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit');
      server.kill('SIGTERM');
      await exited;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { url: await readUrl(server, folder), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const START_MS = 5000;
const LOOK_MS = 20;

/** The server writes the port it got into `<program>_<pid>.ports`. */
async function readUrl(server: ChildProcess, folder: string): Promise<string> {
  let failure: Error | undefined;
  server.once('error', error => {
    failure = error;
  });
  for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
    if (failure || server.exitCode !== null) break;
    const url = await readPortsFile(folder).catch(() => undefined);
    if (url) return url;
    await sleep(LOOK_MS);
  }
  throw new StromaflowError('BUS_UNREACHABLE', 'nats-server did not start', { cause: failure });
}

/** Undefined or a failure while the file is not there or half written. */
async function readPortsFile(folder: string): Promise<string | undefined> {
  const file = (await readdir(folder)).find(name => name.endsWith('.ports'));
  if (!file) return undefined;
  const ports = JSON.parse(await readFile(join(folder, file), 'utf8')) as { nats?: string[] };
  return ports.nats?.[0];
}
