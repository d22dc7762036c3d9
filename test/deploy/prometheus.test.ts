import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { promtool } from '../support/promtool.js';

const RULES = 'deploy/prometheus/alerts.yml';
const TESTS = 'test/deploy/alerts.test.yml';

interface RuleFile {
  groups: { rules: { alert: string; labels: { severity: string }; annotations: Record<string, string> }[] }[];
}
interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
}

describe('deploy/prometheus', () => {
  it('has a configuration and rules that promtool accepts', async () => {
    expect(await promtool(['check', 'config', 'deploy/prometheus/prometheus.yml'])).toBe('');
    expect(await promtool(['check', 'rules', RULES])).toBe('');
  });

  it('has alerts that fire when they should, and only then', async () => {
    await promtool(['test', 'rules', TESTS]);
  });

  it('tests every alert both silent and firing, except that absence has one state', () => {
    const alerts = (parse(readFileSync(RULES, 'utf8')) as RuleFile).groups.flatMap(group => group.rules);
    const checks = (parse(readFileSync(TESTS, 'utf8')) as RuleTests).tests.flatMap(test => test.alert_rule_test);
    const tested = (firing: boolean) =>
      new Set(checks.filter(check => check.exp_alerts.length > 0 === firing).map(check => check.alertname));
    const names = new Set(alerts.map(rule => rule.alert));
    expect(tested(true)).toEqual(names);
    expect(tested(false)).toEqual(names);
    for (const { annotations, labels } of alerts) {
      expect(Object.keys(annotations)).toEqual(['summary', 'description']);
      expect(labels.severity).toMatch(/^(critical|warning)$/);
    }
  });
});
