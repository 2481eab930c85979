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
  const spelledBounds = new Map<number, string>();
  const spelled = (bound: number): string => {
    const known = spelledBounds.get(bound) ?? formatValue(bound);
    spelledBounds.set(bound, known);
    return known;
  };
  for (const { labels, series } of table.all()) {
    const counts = series.cumulative();
    // All lines of a series differ in the value of one label.
    const [before, after] = aroundBound(labels);
    counts.forEach((count, i) => {
      const le = spelled(series.bounds[i] ?? Number.POSITIVE_INFINITY);
      text += `${table.name}_bucket${before}${le}${after} ${formatValue(count)}\n`;
    });
    text += line(`${table.name}_count`, labels, counts.at(-1) ?? 0);
    text += line(`${table.name}_sum`, labels, series.sum);
  }
  return text + created(table, table.name, createdSeconds);
}

/** The text before and after the bound in the labels of a bucket, which are sorted by name. */
function aroundBound(labels: Labels): readonly [string, string] {
  const names = Object.keys(labels).sort();
  const pairs = (some: readonly string[]) => some.map((name) => pair(name, labels[name] ?? ''));
  const before = pairs(names.filter((name) => name < 'le'));
  const after = pairs(names.filter((name) => name > 'le'));
  return [`{${[...before, 'le="'].join(',')}`, `${['"', ...after].join(',')}}`];
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
  return `${name}${labelText(labels)} ${formatValue(value)}\n`;
}

/** `{a="1",b="2"}`, or nothing without labels. */
function labelText(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => pair(name, labels[name] ?? ''));
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function pair(name: string, value: string): string {
  return `${name}="${escapeLabel(value)}"`;
}

function escapeLabel(value: string): string {
  return /[\\\n"]/.test(value)
    ? value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')
    : value;
}
