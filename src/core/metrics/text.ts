// One family as lines of the Prometheus text format; labels sorted by name, as vLLM's are. Lines come series by
// series, so that a large page can be sent in parts.
import type { Exemplar } from '../base/index.ts';
import type { CounterFamily } from './counter.ts';
import { type Labels, labelText, type SeriesTable, sortedPairs } from './family.ts';
import type { GaugeFamily } from './gauge.ts';
import type { HistogramFamily } from './histogram-family.ts';
import { formatValue } from './number.ts';
import type { RowGaugeOptions } from './row-gauge.ts';
import type { SummaryFamily } from './summary-family.ts';

/** Prometheus' text format, or OpenMetrics, which has exemplars and names counters without `_total`. */
export type MetricsFormat = 'text' | 'openmetrics';

export function* renderGauge({ table }: GaugeFamily): Generator<string> {
  yield head(table.name, table.help, 'gauge');
  for (const { text, series } of table.all()) yield line(table.name, text, series.value);
}

export function* renderRowGauge<Row>(gauge: RowGaugeOptions<Row>): Generator<string> {
  const { name, help, rows, labels, value } = gauge;
  yield head(name, help, 'gauge');
  for (const row of rows()) yield line(name, labelText(labels(row)), value(row));
}

export function* renderCounter(
  { table }: CounterFamily,
  format: MetricsFormat,
  createdSeconds?: number,
): Generator<string> {
  const base = table.name.slice(0, -'_total'.length);
  yield head(format === 'text' ? table.name : base, table.help, 'counter');
  for (const { text, series } of table.all()) yield line(table.name, text, series.value);
  yield* created(table, base, createdSeconds);
}

export function* renderHistogram(
  { table }: HistogramFamily,
  format: MetricsFormat,
  createdSeconds?: number,
): Generator<string> {
  yield head(table.name, table.help, 'histogram');
  const [bucketName, countName] = [`${table.name}_bucket`, `${table.name}_count`];
  const spelledBounds: string[] = [];
  for (const entry of table.all()) {
    const { text, series } = entry;
    // All lines of a series differ in the value of one label.
    entry.aroundBound ??= aroundBound(entry.labels);
    const [before, after] = entry.aroundBound;
    const counts = series.cumulative();
    const exemplars = format === 'openmetrics' ? series.exemplars : [];
    let lines = '';
    for (let i = 0; i < counts.length; i++) {
      spelledBounds[i] ??= formatValue(series.bounds[i] ?? Number.POSITIVE_INFINITY);
      lines += `${bucketName}${before}${spelledBounds[i]}${after} ${formatValue(counts[i] as number)}${exemplarText(exemplars[i])}\n`;
    }
    lines += line(countName, text, counts.at(-1) ?? 0);
    yield lines + line(`${table.name}_sum`, text, series.sum);
  }
  yield* created(table, table.name, createdSeconds);
}

/** @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#exemplars */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, value, atSeconds } = exemplar;
  return ` # {trace_id="${traceId}"} ${value} ${atSeconds.toFixed(3)}`;
}

/** The text before and after the bound in the labels of a bucket, which are sorted by name. */
function aroundBound(labels: Labels): readonly [string, string] {
  const before = sortedPairs(labels, (name) => name < 'le');
  const after = sortedPairs(labels, (name) => name > 'le');
  return [`{${[...before, 'le="'].join(',')}`, `${['"', ...after].join(',')}}`];
}

export function* renderSummary(
  { table }: SummaryFamily,
  createdSeconds?: number,
): Generator<string> {
  yield head(table.name, table.help, 'summary');
  for (const { text, series } of table.all()) {
    yield line(`${table.name}_count`, text, series.count) +
      line(`${table.name}_sum`, text, series.sum);
  }
  yield* created(table, table.name, createdSeconds);
}

function* created(
  table: SeriesTable<unknown>,
  base: string,
  createdSeconds?: number,
): Generator<string> {
  if (createdSeconds === undefined) return;
  let begun = false;
  for (const { text } of table.all()) {
    if (!begun) yield head(`${base}_created`, table.help, 'gauge');
    begun = true;
    yield line(`${base}_created`, text, createdSeconds);
  }
}

function head(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
}

/** @param labels As text, or empty. */
function line(name: string, labels: string, value: number): string {
  return `${name}${labels} ${formatValue(value)}\n`;
}
