// One family as lines of the Prometheus text format; labels sorted by name, as vLLM's are.
import type { CounterFamily } from './counter.ts';
import type { Labels, SeriesTable } from './family.ts';
import type { GaugeFamily } from './gauge.ts';
import type { HistogramFamily } from './histogram-family.ts';
import { formatValue } from './number.ts';
import type { SummaryFamily } from './summary-family.ts';

export function renderGauge({ table }: GaugeFamily): string {
  let text = head(table.name, table.help, 'gauge');
  for (const { labels, series } of table.all()) text += line(table.name, labels, series.value);
  return text;
}

export function renderCounter({ table }: CounterFamily, createdSeconds?: number): string {
  let text = head(table.name, table.help, 'counter');
  for (const { labels, series } of table.all()) text += line(table.name, labels, series.value);
  return text + created(table, table.name.slice(0, -'_total'.length), createdSeconds);
}

export function renderHistogram({ table }: HistogramFamily, createdSeconds?: number): string {
  let text = head(table.name, table.help, 'histogram');
  for (const { labels, series } of table.all()) {
    const counts = series.cumulative();
    counts.forEach((count, i) => {
      const le = formatValue(series.bounds[i] ?? Number.POSITIVE_INFINITY);
      text += line(`${table.name}_bucket`, { ...labels, le }, count);
    });
    text += line(`${table.name}_count`, labels, counts.at(-1) ?? 0);
    text += line(`${table.name}_sum`, labels, series.sum);
  }
  return text + created(table, table.name, createdSeconds);
}

export function renderSummary({ table }: SummaryFamily, createdSeconds?: number): string {
  let text = head(table.name, table.help, 'summary');
  for (const { labels, series } of table.all()) {
    text += line(`${table.name}_count`, labels, series.count);
    text += line(`${table.name}_sum`, labels, series.sum);
  }
  return text + created(table, table.name, createdSeconds);
}

function created(table: SeriesTable<unknown>, base: string, createdSeconds?: number): string {
  if (createdSeconds === undefined) return '';
  let text = '';
  for (const { labels } of table.all()) text += line(`${base}_created`, labels, createdSeconds);
  return text && head(`${base}_created`, table.help, 'gauge') + text;
}

function head(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((key) => `${key}="${escapeLabel(labels[key] ?? '')}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${formatValue(value)}\n`;
}

function escapeLabel(value: string): string {
  return /[\\\n"]/.test(value)
    ? value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')
    : value;
}
