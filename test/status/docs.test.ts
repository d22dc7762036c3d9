import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '#src/status/metrics.js';
import { expectGenerated, markdownTable } from '../support/generated-docs.js';
import { engine, share, streams } from './exercise.js';

interface Rules {
  groups: { rules: { alert?: string; labels: { severity: string }; annotations: { summary: string } }[] }[];
}

it('docs/operations.md lists every metric and every alert', async () => {
  const all = createMetrics({ version: '1', engine, connected: () => true, folderUp: () => true, streams });
  share(all);
  const scores = { loss: 0.5, iou: 0.5 };
  all.training.stepped({ ...scores, epoch: 1, rate: 1e-4, images: 1 });
  all.training.epoch({ validation: scores, imagesPerSecond: 1 }, 0.5);
  const text = await all.text();
  const metrics = [...text.matchAll(/^# HELP (stromaflow_\w+) (.+)\n# TYPE \w+ (\w+)/gm)].map(
    ([, name, help, type]) => {
      const series = new RegExp(`^${name}(?:_bucket)?{(.*)} `, 'm').exec(text)?.[1] ?? '';
      const labels = [...series.matchAll(/(\w+)="/g)].map(([, label]) => label).filter(label => label !== 'le');
      return [`\`${name}\``, type ?? '', labels.join(', '), help ?? ''];
    },
  );
  const alerts = ['alerts', 'slo']
    .flatMap(name => (parse(readFileSync(`deploy/prometheus/${name}.yml`, 'utf8')) as Rules).groups)
    .flatMap(({ rules }) => rules)
    .filter(rule => rule.alert !== undefined)
    .map(rule => [
      rule.alert ?? '',
      rule.labels.severity,
      rule.annotations.summary.replace(/\{\{ \$labels\.(\w+) \}\}/g, '<$1>'),
    ]);
  await expectGenerated('operations.md', {
    metrics: markdownTable(['metric', 'type', 'labels', 'what'], metrics),
    alerts: markdownTable(['alert', 'severity', 'says'], alerts),
  });
});
