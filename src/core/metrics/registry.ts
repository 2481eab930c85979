// The metrics of one program, and their page in the Prometheus text format.
import { CounterFamily } from './counter.ts';
import type { FamilyOptions } from './family.ts';
import { GaugeFamily } from './gauge.ts';
import { HistogramFamily } from './histogram-family.ts';
import { SummaryFamily } from './summary-family.ts';
import { renderCounter, renderGauge, renderHistogram, renderSummary } from './text.ts';

/** `Content-Type` of the page. */
export const metricsContentType = 'text/plain; version=1.0.0; charset=utf-8';

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
  readonly #families: (() => string)[] = [];
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
    this.#families.push(() => renderCounter(family, this.#createdSeconds));
    return family;
  }

  gauge(options: FamilyOptions): GaugeFamily {
    const family = new GaugeFamily(options);
    this.#families.push(() => renderGauge(family));
    return family;
  }

  histogram(options: FamilyOptions & { readonly bounds: readonly number[] }): HistogramFamily {
    const family = new HistogramFamily(options);
    this.#families.push(() => renderHistogram(family, this.#createdSeconds));
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
    for (const collect of this.#collectors) collect();
    return this.#families.map((render) => render()).join('');
  }
}
