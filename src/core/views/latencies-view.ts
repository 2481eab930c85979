// Latencies as the router measures them: of an engine, of a model, of all requests.
import { listOf, nullable, number, objectOf, text } from './json-shape.ts';

/** Percentiles of one latency over the last minutes, in seconds. */
export interface QuantilesView {
  /** Number of values. */
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Latencies as the router measures them; null if no request of the window has one. */
export interface LatenciesView {
  /** Time to first token of streamed responses, from the arrival of the request. */
  readonly ttft: QuantilesView | null;
  /** Mean time per output token after the first, of streamed responses. */
  readonly tpot: QuantilesView | null;
  /** From the arrival of the request to the end of its response. */
  readonly e2e: QuantilesView | null;
}

export interface ModelLatenciesView extends LatenciesView {
  /** As clients name it. */
  readonly model: string;
}

/** The latencies of completed generation requests over the last minutes. */
export interface RouterLatenciesView {
  /** Length of the window. */
  readonly windowSeconds: number;
  readonly all: LatenciesView;
  /** By model, the one with the most requests first. */
  readonly models: readonly ModelLatenciesView[];
}

const quantiles = nullable(
  objectOf<QuantilesView>({ count: number, p50: number, p90: number, p99: number }),
);
const fields = { ttft: quantiles, tpot: quantiles, e2e: quantiles };

export const latencies = objectOf<LatenciesView>(fields);

export const routerLatencies = objectOf<RouterLatenciesView>({
  windowSeconds: number,
  all: latencies,
  models: listOf(objectOf<ModelLatenciesView>({ model: text, ...fields })),
});
