// What dashboards are made of. The panels are listed in scripts because in the JSON one line of meaning takes forty; a test keeps the two
// equal. The JSON is the raw model that Grafana provisions, not the "export for sharing" format, which provisioning does not fill in.

// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of Grafana's variables
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
export const HERE = '{instance=~"$instance"}';
export const here = (...labels) => `{instance=~"$instance", ${labels.join(', ')}}`;
export const rate = (metric, selector = HERE) => `rate(${metric}${selector}[$__rate_interval])`;
export const sumBy = (labels, expr) => `sum by (${labels}) (${expr})`;
export const quantile = (q, metric, by = '', selector = HERE) =>
  `histogram_quantile(${q}, ${sumBy(['le', by].filter(Boolean).join(', '), rate(`${metric}_bucket`, selector))})`;
export const quantiles = (metric, selector = HERE) =>
  [0.5, 0.95, 0.99].map(q => [quantile(q, metric, '', selector), `p${q * 100}`]);
export const mean = metric =>
  `${sumBy('instance', rate(`${metric}_sum`))} / ${sumBy('instance', rate(`${metric}_count`))}`;

export const graph = (title, unit, targets, options = {}) => ({ kind: 'timeseries', title, unit, targets, ...options });
export const stat = (title, unit, expr, options = {}) => ({
  kind: 'stat',
  title,
  unit,
  targets: [[expr, '']],
  ...options,
});

function panelOf({ kind, title, unit, targets, ...options }, id, gridPos) {
  const instant = kind === 'stat' || kind === 'table';
  return {
    id,
    type: kind,
    title,
    ...(options.description ? { description: options.description } : {}),
    datasource: DATASOURCE,
    gridPos,
    targets: targets.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      ...(instant ? { instant: true, range: false } : {}),
      ...(kind === 'heatmap' || kind === 'table' ? { format: kind } : {}),
    })),
    ...LOOKS[kind](unit, options),
  };
}

const field = (unit, { decimals, max }) => ({
  unit,
  min: 0,
  ...(decimals === undefined ? {} : { decimals }),
  ...(max === undefined ? {} : { max }),
});

const LOOKS = {
  timeseries: (unit, options) => ({
    fieldConfig: {
      defaults: {
        ...field(unit, options),
        custom: {
          drawStyle: 'line',
          lineWidth: 1,
          fillOpacity: options.stack ? 25 : 8,
          showPoints: 'never',
          stacking: { mode: options.stack ? 'normal' : 'none', group: 'A' },
        },
      },
      overrides: [],
    },
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  }),
  stat: (unit, options) => ({
    fieldConfig: {
      defaults: {
        ...field(unit, options),
        mappings: options.mappings
          ? [
              {
                type: 'value',
                options: Object.fromEntries(
                  Object.entries(options.mappings).map(([value, [text, color]]) => [value, { text, color }]),
                ),
              },
            ]
          : [],
        thresholds: {
          mode: 'absolute',
          steps: (options.thresholds ?? [[null, 'text']]).map(([value, color]) => ({ value, color })),
        },
      },
      overrides: [],
    },
    options: {
      colorMode: 'value',
      graphMode: 'none',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  }),
  heatmap: unit => ({
    fieldConfig: { defaults: {}, overrides: [] },
    options: {
      calculate: false,
      color: { mode: 'scheme', scheme: 'RdPu', fill: 'dark-orange', exponent: 0.5, reverse: false, steps: 64 },
      yAxis: { unit },
      cellGap: 1,
    },
  }),
  table: () => ({
    fieldConfig: { defaults: {}, overrides: [] },
    options: { showHeader: true },
    transformations: [{ id: 'organize', options: { excludeByName: { Time: true, Value: true, __name__: true } } }],
  }),
};

/** A dashboard as Grafana stores it (schema 39: Grafana 10.4 and newer). */
export function dashboardOf({ uid, title, links = [], rows }) {
  const panels = [];
  let y = 0;
  for (const { title: heading, height = 8, width = 8, panels: row } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: heading,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    row.forEach((panel, index) => {
      const x = (index * width) % 24;
      panels.push(panelOf(panel, panels.length + 1, { x, y, w: width, h: height }));
      if (x + width >= 24 || index === row.length - 1) y += height;
    });
  }
  return {
    id: null,
    uid,
    title,
    tags: ['stromaflow'],
    timezone: 'browser',
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    annotations: { list: [] },
    links,
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
          hide: 0,
          options: [],
        },
        {
          name: 'instance',
          label: 'Instance',
          type: 'query',
          datasource: DATASOURCE,
          definition: 'label_values(stromaflow_build_info, instance)',
          query: { query: 'label_values(stromaflow_build_info, instance)', refId: 'instances' },
          refresh: 2,
          sort: 1,
          multi: true,
          includeAll: true,
          allValue: '.*',
          current: { text: ['All'], value: ['$__all'] },
        },
      ],
    },
    panels,
  };
}
