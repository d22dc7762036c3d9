import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Document, parse, parseAllDocuments } from 'yaml';
import { environmentName, OPTIONS } from '#src/config/options.js';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  build?: { context: string; dockerfile: string };
}

const FILE = 'deploy/docker/compose.yaml';
const configured = (document: Document.Parsed | undefined): object =>
  (document?.get('data') as { toJSON(): object } | undefined)?.toJSON() ?? {};
const compose = parse(readFileSync(FILE, 'utf8')) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const dockerfile = readFileSync('deploy/docker/Dockerfile', 'utf8');
const environments = new Set(Object.keys(OPTIONS).map(environmentName));

describe('deploy/docker/compose.yaml', () => {
  it('starts the four parts', () => {
    expect(services.map(([name]) => name).sort()).toEqual(['grafana', 'nats', 'prometheus', 'stromaflow']);
  });

  it.each(services)('opens ports of %s to this machine only', (_name, { ports = [] }) => {
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it.each(services)('mounts for %s only what exists or is declared', (_name, { volumes = [] }) => {
    for (const [source = ''] of volumes.map(volume => volume.split(/:(?=\/)/))) {
      if (source.startsWith('..')) expect(existsSync(join(dirname(FILE), source)), source).toBe(true);
      else if (!source.startsWith('$')) expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it.each(services.filter(([name]) => name !== 'stromaflow'))('pins the version of %s', (_name, { image }) => {
    expect(image).toMatch(/:v?\d+\.\d+/);
  });

  it('sets options that exist', () => {
    const names = Object.keys(compose.services['stromaflow']?.environment ?? {});
    expect(names.filter(name => !environments.has(name))).toEqual([]);
  });

  it('lets Prometheus find Stromaflow by its name and port', () => {
    const { scrape_configs: jobs } = parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    expect(jobs[0]?.static_configs[0]?.targets).toEqual(['stromaflow:9464']);
    expect(dockerfile).toMatch(/"--host", "0\.0\.0\.0", "--port", "9464"/);
  });

  it('builds from this repository', () => {
    const { build } = compose.services['stromaflow'] ?? {};
    expect(join(dirname(FILE), build?.context ?? '')).toBe('.');
    expect(existsSync(build?.dockerfile ?? '')).toBe(true);
  });
});

describe.each(['Dockerfile', 'Dockerfile.cuda'])('deploy/docker/%s', name => {
  const dockerfile = readFileSync(`deploy/docker/${name}`, 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));

  it('copies what exists, and its ignore file lets it through', () => {
    const allowed = readFileSync(`deploy/docker/${name}.dockerignore`, 'utf8')
      .split('\n')
      .filter(line => line.startsWith('!'))
      .map(line => line.slice(1));
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) {
      expect(existsSync(path), path).toBe(true);
      expect(allowed, path).toContain(path);
    }
  });

  it('runs what the package runs, not as root', () => {
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: { stromaflow: string } };
    expect(dockerfile).toContain(`ENTRYPOINT ["node", "/app/${bin.stromaflow}"]`);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});

describe('deploy/kubernetes/stromaflow.yaml', () => {
  const documents = parseAllDocuments(readFileSync('deploy/kubernetes/stromaflow.yaml', 'utf8'));
  const byKind = new Map(documents.map(document => [String(document.get('kind')), document]));
  const container = ['spec', 'template', 'spec', 'containers', 0];
  const deployment = byKind.get('Deployment');

  it('is four resources without an error', () => {
    expect(documents.flatMap(document => document.errors)).toEqual([]);
    expect([...byKind.keys()]).toEqual(['ConfigMap', 'PersistentVolumeClaim', 'Deployment', 'Service']);
  });

  it('sets options that exist', () => {
    const names = Object.keys(configured(byKind.get('ConfigMap')));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter(name => !environments.has(name))).toEqual([]);
  });

  it('has one instance at a time, which may drain, and probes that are served', () => {
    expect(deployment?.getIn(['spec', 'replicas'])).toBe(1);
    expect(deployment?.getIn(['spec', 'strategy', 'type'])).toBe('Recreate');
    const probe = (name: string) => deployment?.getIn([...container, name, 'httpGet', 'path']);
    expect([probe('startupProbe'), probe('livenessProbe'), probe('readinessProbe')]).toEqual([
      '/livez',
      '/livez',
      '/readyz',
    ]);
  });

  it('keeps the address of its own service out of its options', () => {
    expect(deployment?.getIn(['spec', 'template', 'spec', 'enableServiceLinks'])).toBe(false);
  });

  it('mounts every volume it declares, and no other', () => {
    const namesAt = (path: (string | number)[]): string[] => {
      const list = deployment?.getIn(path) as { toJSON(): { name: string }[] } | undefined;
      return (list?.toJSON() ?? []).map(({ name }) => name).sort();
    };
    const volumes = namesAt(['spec', 'template', 'spec', 'volumes']);
    expect(volumes).toHaveLength(4);
    expect(namesAt([...container, 'volumeMounts'])).toEqual(volumes);
  });
});

describe('the image with CUDA', () => {
  it('is the other with a GPU’s libraries, which are looked for before it is built', () => {
    const cuda = readFileSync('deploy/docker/Dockerfile.cuda', 'utf8');
    const stages = (text: string) =>
      [...text.matchAll(/^(?:ENTRYPOINT|STOPSIGNAL|EXPOSE|VOLUME|ENV) .*$/gm)].map(([line]) => line);
    expect(stages(cuda)).toEqual(stages(dockerfile));
    expect(cuda).toMatch(/test -f dist\/node_modules\/onnxruntime-node\/.*providers_cuda\.so/);
    expect(cuda).toMatch(/^CMD .*"--engine", "cuda"/m);
  });
});

describe('deploy/systemd/stromaflow.service', () => {
  const unit = readFileSync('deploy/systemd/stromaflow.service', 'utf8');

  it('gives up every right that a service of its kind can do without', () => {
    for (const line of [
      'NoNewPrivileges=yes',
      'CapabilityBoundingSet=',
      'ProtectSystem=strict',
      'DevicePolicy=closed',
      'SystemCallFilter=@system-service',
    ])
      expect(unit.split('\n')).toContain(line);
    // The engine compiles code as it runs, and the number of processors stands in /proc.
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|ProcSubset)=/m);
  });

  it('sets options that exist, and takes 130 for a clean end', () => {
    const names = [...unit.matchAll(/\b(STROMAFLOW_[A-Z_]+)=/g)].map(([, name]) => name ?? '');
    expect(names).toContain('STROMAFLOW_OUT');
    expect(names.filter(name => !environments.has(name))).toEqual([]);
    expect(unit).toMatch(/^SuccessExitStatus=130$/m);
  });
});
