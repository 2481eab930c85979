// Reads a live engine's /metrics over a window.
import { fetchable, InputError, NoResponseError } from '../../core/base/index.ts';
import type { MetricsReading } from '../../core/engine/index.ts';
import { metricSums, parseEngineReport } from '../../core/protocol/index.ts';

export interface MetricsWindow {
  /** URL of the engine, with or without `/metrics`. */
  readonly url: string;
  readonly windowSeconds: number;
  readonly intervalSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Far above what an engine needs: it responds at once, with some hundred kilobytes. */
const [timeoutMs, pageBytesMax] = [5000, 16 * 2 ** 20];
/** Names of the histogram in vLLM since 0.11, and before. */
const gapNames = ['vllm:inter_token_latency_seconds', 'vllm:time_per_output_token_seconds'];

/**
 * Reads the page once per interval, starting now.
 *
 * @throws {NoResponseError} If the engine does not answer.
 * @throws {InputError} If it is no vLLM.
 */
export async function readMetricsWindow(window: MetricsWindow): Promise<MetricsReading[]> {
  const { windowSeconds, intervalSeconds, signal } = window;
  const url = `${window.url.replace(/\/(metrics\/?)?$/, '')}/metrics`;
  const readings: MetricsReading[] = [];
  const started = performance.now();
  const count = Math.max(2, Math.floor(windowSeconds / intervalSeconds) + 1);
  for (let i = 0; i < count; i++) {
    const due = started + i * intervalSeconds * 1000;
    await delay(due - performance.now(), signal);
    readings.push(readingOf(await pageOf(url, signal), url));
  }
  return readings;
}

async function pageOf(given: string, signal: AbortSignal | undefined): Promise<string> {
  const { url, headers } = fetchable(given);
  try {
    const deadline = AbortSignal.timeout(timeoutMs);
    const both = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const response = await fetch(url, { signal: both, headers, redirect: 'error' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = await response.text();
    if (page.length > pageBytesMax) throw new Error(`the page is over ${pageBytesMax} bytes`);
    return page;
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    // fetch's own message is only "fetch failed".
    const below = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const reason = below instanceof Error ? below.message : String(below);
    throw new NoResponseError(`Cannot read ${url}: ${reason}; is it a vLLM server's?`, { cause });
  }
}

function readingOf(page: string, url: string): MetricsReading {
  const sums = metricSums(page);
  const of = (name: string) => sums.get(name) ?? 0;
  const gaps = gapNames.find((name) => sums.has(`${name}_count`));
  if (gaps === undefined || !sums.has('vllm:iteration_tokens_total_count')) {
    throw new InputError(
      `${url} has no ${gapNames[0]} and vllm:iteration_tokens_total: it must be the page of a vLLM ` +
        'server with statistics enabled.',
    );
  }
  const { kvUsage = 0, blocksTotal = 0, blockTokens = 0 } = parseEngineReport(page);
  return {
    steps: of('vllm:iteration_tokens_total_count'),
    gaps: of(`${gaps}_count`),
    gapSeconds: of(`${gaps}_sum`),
    promptTokens: of('vllm:prompt_tokens_total'),
    cachedTokens: of('vllm:prefix_cache_hits_total'),
    firstTokens: of('vllm:time_to_first_token_seconds_count'),
    heldTokens: kvUsage * Math.max(0, blocksTotal - 1) * blockTokens,
  };
}

function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.max(0, ms),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
