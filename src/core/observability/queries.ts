// The parts of PromQL that panels and rules share.

/**
 * Matchers of engines' own series. The router exports some of the same names for each engine, with the label
 * `server`; without this matcher each engine would count twice.
 */
export const engines = 'namespace=~"$namespace",server=""';
/** Matchers of the router's series. */
export const routers = 'namespace=~"$namespace"';
/** Matchers of engines' series of the chosen models. */
export const models = 'namespace=~"$namespace",model_name=~"$model_name"';

/** Matchers of the jobs that scrape engines and routers: the names of their Services in a cluster, or of our configuration. */
export const scraped = 'namespace=~"$namespace",job=~".*(engine|router).*"';

/** Increase per second. */
export function rate(metric: string, matchers: string): string {
  return `rate(${metric}{${matchers}}[$__rate_interval])`;
}

/** Increase per second, summed by labels; over everything without them. */
export function sumRate(metric: string, matchers: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by}) `}(${rate(metric, matchers)})`;
}

/** A quantile of a histogram. */
export function quantile(share: number, metric: string, matchers: string, by = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${labels}) (${rate(`${metric}_bucket`, matchers)}))`;
}

/** The mean of a histogram. */
export function mean(metric: string, matchers: string, by = ''): string {
  return `${sumRate(`${metric}_sum`, matchers, by)} / ${sumRate(`${metric}_count`, matchers, by)}`;
}

/** The quantiles that upstream's dashboards show, and the mean. */
export function quantiles(metric: string, matchers: string): Readonly<Record<string, string>> {
  return {
    p50: quantile(0.5, metric, matchers),
    p90: quantile(0.9, metric, matchers),
    p95: quantile(0.95, metric, matchers),
    p99: quantile(0.99, metric, matchers),
    mean: mean(metric, matchers),
  };
}

/** The buckets of a histogram over time, for a heatmap. */
export function buckets(metric: string, matchers: string): Readonly<Record<string, string>> {
  return {
    '{{le}}': `sum by (le) (increase(${metric}_bucket{${matchers}}[$__rate_interval]))`,
  };
}

/** Labels by which engines are told apart: in a cluster by pod, elsewhere by address. */
export const byEngine = 'pod, instance';
/** Legend of a line per engine. */
export const engineLegend = '{{pod}} {{instance}}';
