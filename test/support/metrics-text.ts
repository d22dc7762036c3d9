/** Value of one series in Prometheus' text format; throws when there is none. */
export type Samples = (name: string, labels?: Readonly<Record<string, string>>) => number;

export function parseMetrics(text: string): Samples {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = [...(match[2] ?? '').matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
    values.set(keyOf(match[1] ?? '', Object.fromEntries(labels)), Number(match[3]));
  }
  return (name, labels = {}) => {
    const value = values.get(keyOf(name, labels));
    if (value === undefined) throw new Error(`no series ${keyOf(name, labels)}`);
    return value;
  };
}

const keyOf = (name: string, labels: Readonly<Record<string, string>>): string =>
  `${name} ${Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .sort()
    .join(',')}`;
