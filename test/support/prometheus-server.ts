import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireBinary } from './require-binary.js';

export interface TestPrometheus {
  /** Result of an instant query; throws with Prometheus' own words when the expression is wrong. */
  query(expression: string): Promise<readonly { readonly metric: object; readonly value: readonly [number, string] }[]>;
  stop(): Promise<void>;
}

/** A real Prometheus that scrapes `target` (host:port) every 200 ms as job `stromaflow`, and follows files of rules as often. */
export async function startPrometheus(target: string, ruleFiles: readonly string[] = []): Promise<TestPrometheus> {
  const binary = requireBinary('prometheus', 'apt-get install prometheus');
  const folder = await mkdtemp(join(tmpdir(), 'stromaflow-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  const job = { job_name: 'stromaflow', static_configs: [{ targets: [target] }] };
  const global = { scrape_interval: '200ms', evaluation_interval: '200ms' };
  const rule_files = ruleFiles.map(file => resolve(file));
  await writeFile(config, JSON.stringify({ global, rule_files, scrape_configs: [job] }));
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${address}`];
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text: Buffer) => {
    log += text;
  });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  while (!(await isReady(address))) {
    if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}:\n${log}`);
    await sleep(50);
  }
  return { query: expression => query(address, expression), stop };
}

const isReady = (address: string): Promise<boolean> =>
  fetch(`http://${address}/-/ready`).then(
    answer => answer.ok,
    () => false,
  );

async function query(address: string, expression: string) {
  const body = new URLSearchParams({ query: expression });
  const answer = await fetch(`http://${address}/api/v1/query`, { method: 'POST', body });
  const { status, error, data } = (await answer.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: object; value: [number, string] }[] };
  };
  if (status !== 'success') throw new Error(`${expression}: ${error}`);
  return data.result;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
