// Reads the KV-cache use of each engine from Prometheus, sample by sample.
import type { EngineSeries } from '../../core/gate/index.ts';
import type { PrometheusClient, PrometheusSeries } from '../../io/prometheus/index.ts';

/** vLLM's gauge, and its name before 0.11. */
const usageMetrics = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'] as const;
/** A counter that decreases only when its process restarts. */
const restartCounter = 'vllm:prompt_tokens_total';
/** Length of one query in seconds; bounds the size of a response, not the window. */
const pieceSeconds = 3600;

export interface ReadOptions {
  readonly client: PrometheusClient;
  /** Label matchers without braces, e.g. `namespace="prod"`. */
  readonly selector: string;
  /** Labels that identify an engine. @default all labels of the series */
  readonly by?: readonly string[] | undefined;
  readonly window: { readonly start: number; readonly end: number };
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** @throws {PrometheusError} If the server refuses the selector or does not answer. */
export async function readSeries(options: ReadOptions): Promise<EngineSeries[]> {
  const { client, selector, window, by, onProgress } = options;
  const engines = new Map<string, Collected>();
  const [now, before] = usageMetrics.map((name) => matcher(name, selector));
  for (let start = window.start; start < window.end; start += pieceSeconds) {
    const end = Math.min(start + pieceSeconds, window.end);
    const range = `[${Math.round((end - start) * 1000)}ms]`;
    for (const expression of [now, before]) {
      for (const series of await client.range(`${expression}${range}`, end)) {
        collect(engines, series, by);
      }
    }
    onProgress?.((end - window.start) / (window.end - window.start));
  }
  const restarts = await client.instant(
    `resets(${matcher(restartCounter, selector)}[${Math.round((window.end - window.start) * 1000)}ms])`,
    window.end,
  );
  for (const { labels, samples } of restarts) {
    const engine = engines.get(keyOf(labels, by));
    if (engine) engine.restarts += samples[0]?.[1] ?? 0;
  }
  const names = namesOf([...engines.values()]);
  return [...engines.values()]
    .map((engine, index) => ({ name: names[index] as string, ...inOrder(engine) }))
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

interface Collected {
  readonly labels: Readonly<Record<string, string>>;
  readonly byTime: Map<number, number>;
  restarts: number;
}

/** Adds samples. Both names of the gauge, and the ends of adjacent queries, may return the same sample. */
function collect(
  engines: Map<string, Collected>,
  { labels, samples }: PrometheusSeries,
  by: readonly string[] | undefined,
): void {
  const key = keyOf(labels, by);
  let engine = engines.get(key);
  if (engine === undefined) {
    engine = { labels: identity(labels, by), byTime: new Map(), restarts: 0 };
    engines.set(key, engine);
  }
  for (const [seconds, value] of samples) {
    const earlier = engine.byTime.get(seconds) ?? Number.NaN;
    if (!(earlier >= value)) engine.byTime.set(seconds, Number.isNaN(value) ? earlier : value);
  }
}

function inOrder({ byTime, restarts }: Collected): Omit<EngineSeries, 'name'> {
  const times = Float64Array.from(byTime.keys()).sort();
  return { times, values: times.map((seconds) => byTime.get(seconds) as number), restarts };
}

function identity(
  labels: Readonly<Record<string, string>>,
  by: readonly string[] | undefined,
): Readonly<Record<string, string>> {
  const kept = Object.entries(labels).filter(
    ([name]) => name !== '__name__' && (by === undefined || by.includes(name)),
  );
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function keyOf(labels: Readonly<Record<string, string>>, by: readonly string[] | undefined) {
  return JSON.stringify(identity(labels, by));
}

/** Labels that people recognize best, in this order. */
const tellingLabels = ['pod', 'instance', 'model_name', 'engine'];

/** Returns the shortest names that distinguish the engines. */
function namesOf(engines: readonly Collected[]): string[] {
  const labelNames = [...new Set(engines.flatMap(({ labels }) => Object.keys(labels)))];
  const rank = (name: string) => {
    const place = tellingLabels.indexOf(name);
    return place < 0 ? tellingLabels.length : place;
  };
  const ordered = labelNames.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  for (let count = 1; count <= ordered.length; count++) {
    const shown = ordered.slice(0, count);
    const names = engines.map(({ labels }) =>
      shown.flatMap((name) => labels[name] ?? []).join(' '),
    );
    if (names.every((name) => name !== '') && new Set(names).size === names.length) return names;
  }
  return engines.map(({ labels }) => JSON.stringify(labels));
}

function matcher(metric: string, selector: string): string {
  return `{__name__="${metric}"${selector === '' ? '' : `,${selector}`}}`;
}
