// What a load is sent to, how, and how it is measured.
import type { ServiceLevel } from '../../core/stats/index.ts';

/** The server, and how it is measured. */
export interface LoadOptions {
  /** Base URL of an OpenAI API, e.g. `http://127.0.0.1:8000/v1`. */
  readonly url: URL;
  /** @default the first model that the server lists */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Further headers of each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** GPU seconds per wall-clock second of the engines; arrivals follow, and results are in GPU time. */
  readonly timeScale: number;
  /** Number of client processes; `auto`: as many as the rate needs. @default 1 */
  readonly clients?: number | 'auto' | undefined;
  /** Requests under way at once; one that is due beyond it waits, which counts as client lag. */
  readonly concurrencyMax?: number | undefined;
  /** Closed loop: requests under way at once; none is due before one of them has ended. */
  readonly users?: number | undefined;
  /** Time after which nothing is sent, in wall-clock seconds. @default none */
  readonly untilSeconds?: number | undefined;
  /** Header that carries a request's session, such as `x-user-id`. @default none */
  readonly sessionHeader?: string | undefined;
  /** Number of refused connections in a row that stops the run. @default no limit */
  readonly refusedMax?: number | undefined;
  /** Timeout of one request, in wall-clock milliseconds. */
  readonly timeoutMs: number;
  /** Number of short requests that are sent one after another before the clock starts; not measured. */
  readonly warmupRequests: number;
  readonly limits: ServiceLevel;
  readonly percentiles: readonly number[];
}
