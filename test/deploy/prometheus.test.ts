import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { promtool } from '../support/promtool.js';

const FILES = ['alerts', 'slo'].map(name => [`deploy/prometheus/${name}.yml`, `test/deploy/${name}.test.yml`] as const);

interface RuleFile {
  groups: { rules: (Alert | { record: string })[] }[];
}
interface Alert {
  alert: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}
interface RuleTests {
  tests: { alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[] }[];
}

describe('deploy/prometheus', () => {
  it('has a configuration that promtool accepts, with every file of rules', async () => {
    expect(await promtool(['check', 'config', 'deploy/prometheus/prometheus.yml'])).toBe('');
    const { rule_files } = parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')) as { rule_files: string[] };
    expect(rule_files.map(name => `deploy/prometheus/${name}`)).toEqual(FILES.map(([rules]) => rules));
  });

  it.each(FILES)('%s has rules that do what they should, and only then', async (rules, tests) => {
    expect(await promtool(['check', 'rules', rules])).toBe('');
    await promtool(['test', 'rules', tests]);
  });

  it.each(FILES)(
    '%s: every alert is tested both silent and firing, except that absence has one state',
    (rules, tests) => {
      const all = (parse(readFileSync(rules, 'utf8')) as RuleFile).groups.flatMap(group => group.rules);
      const alerts = all.filter(rule => 'alert' in rule);
      const checks = (parse(readFileSync(tests, 'utf8')) as RuleTests).tests.flatMap(
        ({ alert_rule_test = [] }) => alert_rule_test,
      );
      const tested = (firing: boolean) =>
        new Set(checks.filter(check => check.exp_alerts.length > 0 === firing).map(check => check.alertname));
      const names = new Set(alerts.map(rule => rule.alert));
      expect(tested(true)).toEqual(names);
      expect(tested(false)).toEqual(names);
      for (const { annotations, labels } of alerts) {
        expect(Object.keys(annotations)).toEqual(['summary', 'description']);
        expect(labels.severity).toMatch(/^(critical|warning)$/);
      }
    },
  );
});
