// Grafana's JSON of a dashboard, in the classic model, which every Grafana since 9 imports.
import type { Dashboard, DashboardVariable, Panel } from './dashboard.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** Grafana divides a row into 24 columns. */
const columns = 24;
const sizes = {
  stat: { w: 4, h: 4 },
  timeseries: { w: 8, h: 8 },
  heatmap: { w: 8, h: 8 },
} as const;

/** The text of its file. */
export function grafanaDashboard(dashboard: Dashboard): string {
  const { name, title, description, variables = [] } = dashboard;
  return `${JSON.stringify(
    {
      title,
      description,
      uid: `spillway-${name}`,
      schemaVersion: 39,
      editable: true,
      graphTooltip: 1,
      tags: ['vllm', 'spillway'],
      time: { from: 'now-1h', to: 'now' },
      refresh: '30s',
      annotations: { list: [] },
      links: [
        {
          title: 'Spillway',
          type: 'dashboards',
          icon: 'external link',
          tooltip: '',
          url: '',
          tags: ['spillway'],
          asDropdown: true,
          targetBlank: false,
          includeVars: false,
          keepTime: true,
        },
      ],
      templating: {
        list: [
          {
            name: 'datasource',
            label: 'data source',
            type: 'datasource',
            query: 'prometheus',
            current: { text: 'default', value: 'default' },
          },
          ...[namespace, ...variables].map(variableJson),
        ],
      },
      panels: panelsOf(dashboard),
    },
    null,
    2,
  )}\n`;
}

const namespace: DashboardVariable = {
  ...{ kind: 'label', name: 'namespace', label: 'namespace' },
  metric: 'vllm:num_requests_running',
};

function variableJson(variable: DashboardVariable): object {
  const { kind, name, label } = variable;
  if (kind === 'number') {
    const value = String(variable.value);
    return { name, label, type: 'textbox', query: value, current: { text: value, value } };
  }
  const query = `label_values(${variable.metric}, ${label})`;
  return {
    ...{ name, label, type: 'query', datasource, query, refresh: 2, sort: 1 },
    // Series without the label, as outside a cluster, match too.
    ...{ includeAll: true, multi: true, allValue: name === 'namespace' ? '.*' : '.+' },
    current: { text: 'All', value: '$__all' },
  };
}

/** Rows with the panels below them, from left to right. */
function panelsOf({ rows }: Dashboard): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    const place = { x: 0, y, w: columns, h: 1 };
    const id = panels.length + 1;
    panels.push({
      id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: place,
      panels: [],
    });
    y++;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const { w, h } = sizes[panel.kind ?? 'timeseries'];
      if (x + w > columns) {
        y += height;
        x = height = 0;
      }
      panels.push({ id: panels.length + 1, ...panelJson(panel), gridPos: { x, y, w, h } });
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelJson(panel: Panel): object {
  const { title, description, kind = 'timeseries', queries } = panel;
  const isHeatmap = kind === 'heatmap';
  return {
    ...{ title, description, type: kind, datasource },
    fieldConfig: { defaults: isHeatmap ? {} : fieldDefaults(panel), overrides: [] },
    options: optionsOf(panel),
    targets: Object.entries(queries).map(([legendFormat, expr], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat,
      ...(isHeatmap && { format: 'heatmap' }),
    })),
  };
}

function fieldDefaults({ unit = 'short', alarmAt }: Panel): object {
  if (alarmAt === undefined) return { unit };
  const steps = [
    // Grafana takes the first value as minus infinity.
    { value: 0, color: 'green' },
    { value: alarmAt, color: 'red' },
  ];
  return { unit, thresholds: { mode: 'absolute', steps } };
}

/** Options of its kind of panel, with Grafana's defaults where its schema requires a value. */
function optionsOf({ kind = 'timeseries', unit = 'short' }: Panel): object {
  switch (kind) {
    case 'timeseries':
      return {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
        tooltip: { mode: 'multi', sort: 'desc' },
      };
    case 'stat':
      return {
        ...{ graphMode: 'area', colorMode: 'value', justifyMode: 'auto', textMode: 'auto' },
        ...{ wideLayout: true, showPercentChange: false, orientation: 'auto' },
        percentChangeColorMode: 'standard',
        reduceOptions: { calcs: ['lastNotNull'] },
      };
    case 'heatmap':
      return {
        calculate: false,
        color: { scheme: 'Oranges', fill: 'dark-orange', exponent: 0.5, steps: 64, reverse: false },
        showValue: 'never',
        yAxis: { unit },
        legend: { show: true },
        tooltip: { mode: 'single' },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
      };
  }
}
