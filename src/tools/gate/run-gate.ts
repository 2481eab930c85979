// Reads the window from Prometheus and judges it.
import { type GateVerdict, intervalOf, judge } from '../../core/gate/index.ts';
import type { PrometheusClient } from '../../io/prometheus/index.ts';
import { readSeries } from './read-series.ts';

export interface GateInput {
  readonly client: PrometheusClient;
  readonly windowSeconds: number;
  readonly max: number;
  readonly selector: string;
  readonly by?: readonly string[] | undefined;
  /** Seconds between two samples. @default computed from the samples */
  readonly intervalSeconds?: number | undefined;
  /** End of the window in Unix seconds. @default the server's current time */
  readonly endSeconds?: number | undefined;
  readonly onProgress?: ((share: number) => void) | undefined;
}

export interface GateRun extends GateVerdict {
  readonly max: number;
  readonly window: { readonly start: number; readonly end: number };
  readonly intervalSeconds: number;
}

/** Prometheus' default scrape interval, for a window with too few samples to compute it. */
const defaultIntervalSeconds = 60;

/** @throws {PrometheusError} If Prometheus does not answer. */
export async function runGate(input: GateInput): Promise<GateRun> {
  const { client, windowSeconds, max, selector, by, onProgress } = input;
  const end = input.endSeconds ?? (await client.now());
  const window = { start: end - windowSeconds, end };
  const series = await readSeries({ client, selector, by, window, onProgress });
  const intervalSeconds =
    input.intervalSeconds ?? intervalOf(series.map(({ times }) => times)) ?? defaultIntervalSeconds;
  return { ...judge(series, { window, intervalSeconds, max }), max, window, intervalSeconds };
}
