// Asks Prometheus for the window and judges it.
import { type GateVerdict, intervalOf, judge } from '../../core/gate/index.ts';
import type { PrometheusClient } from '../../io/prometheus/index.ts';
import { readSeries } from './read-series.ts';

export interface GateInput {
  readonly client: PrometheusClient;
  readonly windowSeconds: number;
  readonly max: number;
  readonly selector: string;
  readonly by?: readonly string[] | undefined;
  /** Seconds between two samples; from the samples themselves when undefined. */
  readonly intervalSeconds?: number | undefined;
  /** End of the window, Unix seconds; the server's now when undefined. */
  readonly endSeconds?: number | undefined;
  readonly onProgress?: ((share: number) => void) | undefined;
}

export interface GateRun extends GateVerdict {
  readonly max: number;
  readonly window: { readonly start: number; readonly end: number };
  readonly intervalSeconds: number;
}

/** Prometheus' own default scrape interval, for a window with too few samples to tell. */
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
