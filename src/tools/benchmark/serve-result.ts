// The result of `spillway bench serve`, in the keys of `vllm bench serve --save-result`.
import { latencyNames, serveSummaryJson, toServeJson } from '../../core/stats/index.ts';
import { loadJson } from './load-json.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadOutcome } from './load-outcome.ts';

/** What a result says of its run besides the figures. */
export interface ServeLabels {
  readonly backend: string;
  readonly label?: string | undefined;
  readonly tokenizer?: string | undefined;
  /** Requests per second; Infinity: all at once. */
  readonly requestRate: number;
  readonly burstiness: number;
  readonly seed: number;
  readonly dataset: string;
  /** Further keys of the result, from `--metadata`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Latencies that are part of the result. */
  readonly latencies: readonly string[];
  /** Whether the result has the arrays, a value per request. */
  readonly isDetailed: boolean;
  /** When the run began, for the key `date`. */
  readonly startedAt: Date;
}

export type ServeOptions = LoadOptions & ServeLabels;

/** Returns the outcome as JSON; figures that vLLM has no key for are under `spillway`. */
export function serveJson(options: ServeOptions, outcome: LoadOutcome): Record<string, unknown> {
  const { report, records } = outcome;
  const all = options.isDetailed ? toServeJson(report, records) : serveSummaryJson(report);
  const figures = Object.entries(all).filter(([key]) => {
    const latency = latencyNames.find((name) => key.endsWith(`_${name}_ms`));
    return latency === undefined || options.latencies.includes(latency);
  });
  return {
    date: dateOf(options.startedAt),
    endpoint_type: options.backend,
    backend: options.backend,
    label: options.label ?? null,
    model_id: outcome.model.id,
    tokenizer_id: options.tokenizer ?? outcome.model.id,
    num_prompts: outcome.requestCount,
    ...options.metadata,
    request_rate: finiteOr(options.requestRate, 'inf'),
    burstiness: finiteOr(options.burstiness, 'inf'),
    max_concurrency: options.users ?? options.concurrencyMax ?? null,
    ...Object.fromEntries(figures),
    spillway: {
      dataset: options.dataset,
      seed: options.seed,
      users: options.users ?? null,
      ...loadJson(options, outcome),
    },
  };
}

function finiteOr(value: number, other: string): number | string {
  return Number.isFinite(value) ? value : other;
}

/** As vLLM writes it: `20261123-161500`, in UTC. */
function dateOf(date: Date): string {
  const [day, time] = date.toISOString().slice(0, 19).split('T') as [string, string];
  return `${day.replaceAll('-', '')}-${time.replaceAll(':', '')}`;
}
