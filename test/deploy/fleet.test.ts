import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { environmentName, OPTIONS } from '#src/config/options.js';

const FOLDER = 'deploy/kubernetes/fleet';
const environments = new Set(Object.keys(OPTIONS).map(environmentName));

interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  envFrom?: { secretRef: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  resources: { limits: Record<string, unknown> };
  securityContext: object;
  volumeMounts: { name: string; mountPath: string }[];
  startupProbe?: { httpGet: { path: string } };
  livenessProbe?: { httpGet: { path: string } };
  readinessProbe?: { httpGet: { path: string } };
}
interface PodSpec {
  automountServiceAccountToken: boolean;
  enableServiceLinks?: boolean;
  securityContext: object;
  containers: Container[];
  volumes: { name: string; secret?: { secretName: string }; configMap?: { name: string } }[];
}
interface Resource {
  kind: string;
  metadata: { name: string };
  spec: {
    replicas?: number;
    selector?: { matchLabels: Record<string, string> };
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string } }[];
    podSelector?: Selector;
    ingress?: { from: { podSelector?: Selector }[]; ports: { port: number }[] }[];
    egress?: { to: { podSelector?: Selector }[]; ports: { port: number }[] }[];
    scaleTargetRef?: { name: string };
    triggers?: { metadata: { query: string } }[];
  };
  stringData?: Record<string, string>;
}
interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}

const kustomization = parse(readFileSync(`${FOLDER}/kustomization.yaml`, 'utf8')) as {
  namespace: string;
  resources: string[];
  images: { name: string }[];
};
const read = (file: string): Resource[] => {
  const documents = parseAllDocuments(readFileSync(`${FOLDER}/${file}`, 'utf8'));
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  return documents.map(document => document.toJSON() as Resource);
};
const files = kustomization.resources.filter(name => name.endsWith('.yaml'));
const resources = files.flatMap(read);
const secrets = new Map(read('secrets.example.yaml').map(({ metadata, stringData }) => [metadata.name, stringData!]));
const pods = resources.flatMap(({ metadata, spec }) =>
  spec?.template ? [[metadata.name, spec.template.spec, spec] as const] : [],
);
const named = (kind: string, name: string) =>
  resources.find(resource => resource.kind === kind && resource.metadata.name === name)!;

describe('deploy/kubernetes/fleet', () => {
  it('has every file in its kustomization, but the secrets, which are nobody’s to commit', () => {
    const there = readdirSync(FOLDER).filter(name => name !== 'kustomization.yaml');
    expect(there.toSorted()).toEqual([...files, 'secrets.example.yaml'].toSorted());
    for (const values of secrets.values()) expect(new Set(Object.values(values))).toEqual(new Set(['']));
    const nats = parse(readFileSync('deploy/nats/kustomization.yaml', 'utf8')) as object;
    expect(nats).toMatchObject({ configMapGenerator: [{ name: 'nats-config', files: ['stromaflow.conf'] }] });
  });

  it('runs ingest, workers, NATS, and what sets the streams up', () => {
    expect(pods.map(([name]) => name).toSorted()).toEqual(['ingest', 'nats', 'stromaflow-setup', 'worker']);
    const images = new Set(pods.flatMap(([, { containers }]) => containers.map(({ image }) => image)));
    expect([...images].toSorted()).toEqual(['nats:2.11-alpine', 'stromaflow', 'stromaflow-cuda']);
    expect(kustomization.images.map(({ name }) => name)).toEqual(['stromaflow', 'stromaflow-cuda']);
  });

  it.each(pods)('%s has no more rights than the restricted standard leaves', (_name, pod) => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const {
      securityContext,
      resources: { limits },
    } of pod.containers) {
      const expected = {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      };
      expect(securityContext).toEqual(expected);
      expect(limits).toHaveProperty('memory');
    }
  });

  it.each(pods)('%s mounts every volume it declares, and no other', (_name, pod, { volumeClaimTemplates = [] }) => {
    const declared = [
      ...pod.volumes.map(({ name }) => name),
      ...volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ];
    for (const { volumeMounts } of pod.containers)
      expect(volumeMounts.map(({ name }) => name).toSorted()).toEqual(declared.toSorted());
  });

  it.each(pods)('%s is given what exists: options, secrets and their keys', (_name, pod) => {
    for (const { args, env = [], envFrom = [] } of pod.containers) {
      for (const { name, valueFrom } of env) {
        if (name.startsWith('STROMAFLOW_')) expect(environments, name).toContain(name);
        if (valueFrom) expect(secrets.get(valueFrom.secretKeyRef.name)).toHaveProperty(valueFrom.secretKeyRef.key);
      }
      for (const { secretRef } of envFrom) expect([...secrets.keys()]).toContain(secretRef.name);
      if (pod.enableServiceLinks === false)
        for (const flag of args.filter(arg => arg.startsWith('--'))) expect(OPTIONS).toHaveProperty([flag.slice(2)]);
    }
    for (const { secret } of pod.volumes) if (secret) expect([...secrets.keys()]).toContain(secret.secretName);
  });

  it('logs in as the users that the server knows, with the rights of the scanner that ingest names', () => {
    const conf = readFileSync('deploy/nats/stromaflow.conf', 'utf8');
    const users = new Set(
      [...conf.matchAll(/user: (\w+), password: \$(\w+)/g)].map(([, user, password]) => `${user} ${password}`),
    );
    const urls = pods
      .flatMap(([, { containers }]) => containers.flatMap(({ env = [] }) => env))
      .filter(({ name }) => name === 'STROMAFLOW_NATS');
    expect(urls).toHaveLength(3);
    for (const { value = '' } of urls) {
      const [, user, password] = /^nats:\/\/(\w+):\$\((\w+)\)@nats:4222$/.exec(value) ?? [];
      expect(users).toContain(`${user} ${password}`);
    }
    const env = new Map(
      named('Deployment', 'ingest').spec.template!.spec.containers[0]!.env!.map(({ name, value }) => [name, value]),
    );
    expect(conf).toContain(`"stroma.v1.${env.get('STROMAFLOW_SITE')}.${env.get('STROMAFLOW_SCANNER')}.>"`);
  });

  it('asks for one GPU a worker, one ingest at a time, and probes that are served', () => {
    const [worker] = named('Deployment', 'worker').spec.template!.spec.containers;
    expect(worker?.resources.limits).toHaveProperty(['nvidia.com/gpu'], 1);
    expect(named('Deployment', 'ingest').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    for (const name of ['ingest', 'worker']) {
      const [{ startupProbe, livenessProbe, readinessProbe }] = named('Deployment', name).spec.template!.spec
        .containers as [Container];
      expect(['/livez', '/readyz']).toContain(startupProbe?.httpGet.path);
      expect([livenessProbe?.httpGet.path, readinessProbe?.httpGet.path]).toEqual(['/livez', '/readyz']);
    }
  });

  it('scales workers, whose number nothing else states, by a metric that ingest exports', () => {
    const { scaleTargetRef, triggers } = named('ScaledObject', 'worker').spec;
    expect(scaleTargetRef).toEqual({ name: 'worker' });
    expect(named('Deployment', 'worker').spec.replicas).toBeUndefined();
    const [, metric = ''] = /sum\((\w+){/.exec(triggers?.[0]?.metadata.query ?? '') ?? [];
    expect(readFileSync('docs/operations.md', 'utf8')).toContain(`| \`${metric}\``);
  });

  it('closes the network but for ports that somebody listens on, between pods that exist', () => {
    const policies = resources.filter(({ kind }) => kind === 'NetworkPolicy');
    expect(named('NetworkPolicy', 'default-deny').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const labels = new Set(resources.flatMap(({ spec }) => Object.values(spec?.template?.metadata.labels ?? {})));
    const ports = new Set(
      pods.flatMap(([, { containers }]) =>
        containers.flatMap(({ ports = [] }) => ports.map(port => port.containerPort)),
      ),
    );
    for (const { metadata, spec } of policies) {
      const rules = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
      const selectors = [
        spec.podSelector,
        ...rules.flatMap(rule => ('from' in rule ? rule.from : rule.to).map(peer => peer.podSelector)),
      ];
      for (const selector of selectors) {
        for (const value of Object.values(selector?.matchLabels ?? {})) expect(labels, metadata.name).toContain(value);
        for (const { values } of selector?.matchExpressions ?? [])
          for (const value of values) expect(labels, metadata.name).toContain(value);
      }
      for (const { port } of rules.flatMap(rule => rule.ports))
        expect(port === 53 || ports.has(port), String(port)).toBe(true);
    }
  });
});
