// Samples of a metrics page with their labels, for pages that are read now and then; what a router reads a hundred times a
// second is in engine-report.ts.

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Reads the samples of some metrics in the Prometheus text format. Lines that cannot be read are left out.
 *
 * @param names Of samples, as they are written: a histogram's end in `_bucket`, `_sum` or `_count`.
 * @example metricSamples('a{x="1"} 2\nb 3\n', new Set(['a'])); // [{ name: 'a', labels: { x: '1' }, value: 2 }]
 */
export function metricSamples(page: string, names: ReadonlySet<string>): readonly MetricSample[] {
  const samples: MetricSample[] = [];
  for (let start = 0, end = 0; start < page.length; start = end + 1) {
    end = page.indexOf('\n', start);
    if (end < 0) end = page.length;
    const name = nameAt(page, start, end);
    if (!names.has(name)) continue;
    const [, labels = '', number = ''] =
      /^(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)/.exec(
        page.slice(start + name.length, end),
      ) ?? [];
    const value = numberOf(number);
    if (!Number.isNaN(value)) samples.push({ name, labels: readLabels(labels), value });
  }
  return samples;
}

/** The text up to labels or a space. */
function nameAt(page: string, start: number, end: number): string {
  let at = start;
  while (at < end && page[at] !== '{' && page[at] !== ' ') at++;
  return page.slice(start, at);
}

function readLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [, key = '', value = ''] of text.matchAll(/([^\s,="]+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[key] = value.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));
  }
  return labels;
}

function numberOf(text: string): number {
  if (text === '') return Number.NaN;
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
}
