#!/usr/bin/env bash
# Checks dashboards/*.json against the types of Grafana's foundation SDK, which Grafana generates from its own schemas: every key, every enumerated value, the
# type of every value; of panels also their options and custom fields by the kind of the panel, of targets what a Prometheus query is. A key that
# is not in the types is a fault. Not checked: that a Grafana draws it. Needs npm and a registry; CI does not run it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --ignore-scripts --no-audit --no-fund @grafana/grafana-foundation-sdk@0.0.21 typescript@5.9.3
cat > generate.mjs <<'JS'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
const [folder, spoil] = process.argv.slice(2);
const KINDS = { timeseries: 'timeseries', stat: 'stat', table: 'table', heatmap: 'heatmap', barchart: 'barchart', gauge: 'gauge', bargauge: 'bargauge', text: 'text' };
/** A panel kind whose fields have no settings of their own has no FieldConfig in the types. */
const CUSTOM = new Set(['timeseries', 'table', 'heatmap', 'barchart']);
const head = `import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type * as common from '@grafana/grafana-foundation-sdk/common';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
${Object.values(KINDS).map(kind => `import type * as ${kind} from '@grafana/grafana-foundation-sdk/${kind}';`).join('\n')}
/** As JSON has it: an enumerated value is its text. */
type Plain<T> = 0 extends 1 & T ? any : T extends string ? \`\${T}\` : T extends readonly (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
`;
let count = 0;
for (const name of readdirSync(folder).filter(name => name.endsWith('.json'))) {
  const { panels, ...rest } = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
  const lines = [head];
  const check = (type, value) => lines.push(`export const v${lines.length}: Plain<${type}> = ${JSON.stringify(value)};`);
  check('dashboard.Dashboard', rest);
  if (spoil === 'key') panels.find(({ type }) => type === 'timeseries').fieldConfig.defaults.custom.lineWidht = 1;
  if (spoil === 'value') panels.find(({ type }) => type === 'timeseries').options.tooltip.mode = 'many';
  for (const { options, fieldConfig, targets, ...panel } of panels) {
    if (panel.type === 'row') {
      check('dashboard.RowPanel', panel);
      continue;
    }
    const kind = KINDS[panel.type];
    if (!kind) throw new Error(`${name}: a panel of kind ${panel.type}`);
    const { custom, ...defaults } = fieldConfig?.defaults ?? {};
    check('dashboard.Panel', panel);
    if (fieldConfig) check('dashboard.FieldConfigSource', { ...fieldConfig, defaults });
    if (custom) check(CUSTOM.has(kind) ? (kind === 'table' ? 'common.TableFieldOptions' : `${kind}.FieldConfig`) : 'Record<never, never>', custom);
    if (options) check(`Partial<${kind}.Options>`, options);
    for (const target of targets ?? []) check("Omit<prometheus.Dataquery, '_implementsDataqueryVariant'>", target);
    count += 1;
  }
  writeFileSync(`${name.replace('.json', '')}.ts`, lines.join('\n'));
}
if (!spoil) console.log(`${count} panels`);
JS
check() { node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext --target es2022 ./*.ts; }
# A check that cannot fail is none.
for spoil in key value; do
  node generate.mjs "$here/dashboards" "$spoil"
  if check > /dev/null; then echo "a wrong $spoil was not found"; exit 1; fi
done
node generate.mjs "$here/dashboards"
check && echo "as the types of @grafana/grafana-foundation-sdk 0.0.21 have it"
