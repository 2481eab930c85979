// The metrics of one program, and their page in the Prometheus text format.
import { CounterFamily } from './counter.ts';
import type { FamilyOptions } from './family.ts';
import { GaugeFamily } from './gauge.ts';
import { HistogramFamily } from './histogram-family.ts';
import type { RowGaugeOptions } from './row-gauge.ts';
import { SummaryFamily } from './summary-family.ts';
import {
  type MetricsFormat,
  renderCounter,
  renderGauge,
  renderHistogram,
  renderRowGauge,
  renderSummary,
} from './text.ts';

/** `Content-Type` of the page. */
export const metricsContentType = 'text/plain; version=1.0.0; charset=utf-8';
/** That of the page in the format that has exemplars. */
export const openMetricsContentType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** A part of a page: rendered within a millisecond. */
const partLengthMin = 32_768;

/**
 * The metric families of a program, in the order of their declaration.
 *
 * @example
 * const registry = new MetricsRegistry();
 * const responses = registry.counter({ name: 'responses', help: 'Responses sent.', labels: ['code'] });
 * responses.with({ code: '200' }).inc();
 * registry.render(); // '# HELP responses_total Responses sent.\n# TYPE responses_total counter\n…'
 */
export class MetricsRegistry {
  readonly #createdSeconds: number | undefined;
  readonly #families: ((format: MetricsFormat) => Generator<string>)[] = [];
  readonly #collectors: (() => void)[] = [];

  /**
   * @param options `createdSeconds`: Unix time; if given, counters and histograms have the
   *   `_created` gauges that the Python client library adds.
   */
  constructor(options: { readonly createdSeconds?: number } = {}) {
    this.#createdSeconds = options.createdSeconds;
  }

  counter(options: FamilyOptions): CounterFamily {
    const family = new CounterFamily(options);
    this.#families.push((format) => renderCounter(family, format, this.#createdSeconds));
    return family;
  }

  gauge(options: FamilyOptions): GaugeFamily {
    const family = new GaugeFamily(options);
    this.#families.push(() => renderGauge(family));
    return family;
  }

  /** A gauge whose values are read from rows while the page is rendered. */
  rowGauge<Row>(options: RowGaugeOptions<Row>): void {
    this.#families.push(() => renderRowGauge(options));
  }

  histogram(options: FamilyOptions & { readonly bounds: readonly number[] }): HistogramFamily {
    const family = new HistogramFamily(options);
    this.#families.push((format) => renderHistogram(family, format, this.#createdSeconds));
    return family;
  }

  summary(options: FamilyOptions): SummaryFamily {
    const family = new SummaryFamily(options);
    this.#families.push(() => renderSummary(family, this.#createdSeconds));
    return family;
  }

  /** Calls `collect` before each rendering, for gauges that are cheaper to read on demand than to maintain. */
  onRender(collect: () => void): void {
    this.#collectors.push(collect);
  }

  render(): string {
    return [...this.parts()].join('');
  }

  /**
   * The page in parts of some kilobytes. The families stay in order and together; a series that is created or
   * removed while the page is rendered may be missing.
   *
   * @param format `openmetrics` has exemplars; a registry with `createdSeconds` cannot be written in it.
   */
  *parts(format: MetricsFormat = 'text'): Generator<string> {
    for (const collect of this.#collectors) collect();
    let part = '';
    for (const render of this.#families) {
      for (const lines of render(format)) {
        part += lines;
        if (part.length < partLengthMin) continue;
        yield part;
        part = '';
      }
    }
    if (format === 'openmetrics') part += '# EOF\n';
    if (part !== '') yield part;
  }
}
