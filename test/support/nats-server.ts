import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireBinary } from './require-binary.js';

export interface TestNatsServer {
  readonly url: string;
  readonly port: number;
  /** SIGKILL: what a crash looks like to clients. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after kill(). */
  restart(): Promise<void>;
  /** Of a server that was killed: what JetStream kept on disk. */
  loseStore(): Promise<void>;
  /** Of a server that was killed: the last part of what a stream wrote, as a power cut leaves it. */
  loseTail(stream: string, bytes: number): Promise<void>;
  stop(): Promise<void>;
}

export interface TestNatsOptions {
  /** Lines of nats-server's configuration file: limits, users, TLS. */
  readonly config?: string;
  readonly jetstream?: boolean;
  /** Of JetStream's configuration: max_file_store. */
  readonly store?: string;
}

/** A real nats-server on a free port of the loopback interface, with its files in a folder of its own. */
export async function startNatsServer(options: TestNatsOptions = {}): Promise<TestNatsServer> {
  const binary = requireBinary('nats-server', 'apt-get install nats-server');
  const folder = await mkdtemp(join(tmpdir(), 'stromaflow-nats-'));
  const config = join(folder, 'nats.conf');
  const jetstream = options.jetstream
    ? `jetstream { store_dir: ${JSON.stringify(folder)}${options.store ? `, ${options.store}` : ''} }`
    : '';
  await writeFile(config, `${jetstream}\n${options.config ?? ''}\n`);

  const start = async (port: number): Promise<ChildProcess> => {
    const args = ['-a', '127.0.0.1', '-p', String(port), '--ports_file_dir', folder, '-c', config];
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr?.on('data', (text: Buffer) => {
      log += text;
    });
    while (!log.includes('Server is ready')) {
      if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}:\n${log}`);
      await sleep(10);
    }
    return child;
  };

  let child = await start(-1);
  const port = await readPort(folder);
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    kill,
    async restart() {
      child = await start(port);
    },
    async loseStore() {
      await rm(join(folder, 'jetstream'), { recursive: true, force: true });
    },
    async loseTail(stream, bytes) {
      const messages = join(folder, 'jetstream', '$G', 'streams', stream, 'msgs');
      const block = join(
        messages,
        (await readdir(messages))
          .filter(name => name.endsWith('.blk'))
          .sort()
          .at(-1)!,
      );
      await truncate(block, (await stat(block)).size - bytes);
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** With `-p -1` the server chooses a port and writes its addresses to <folder>/nats-server_<pid>.ports. */
async function readPort(folder: string): Promise<number> {
  while (true) {
    const name = (await readdir(folder)).find(file => file.endsWith('.ports'));
    const text = name && (await readFile(join(folder, name), 'utf8'));
    if (text) {
      const { nats } = JSON.parse(text) as { nats: string[] };
      return Number(new URL(nats[0] ?? '').port);
    }
    await sleep(10);
  }
}
