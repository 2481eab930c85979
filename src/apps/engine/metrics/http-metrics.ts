// vLLM's metrics of HTTP requests: the families of prometheus-fastapi-instrumentator.
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { FinishedExchange } from '../http/server.ts';

/** vLLM searches for these patterns anywhere in a path, so /v1/load_lora_adapter is excluded, too. */
const excluded = /\/metrics|\/health|\/load|\/ping|\/version|\/server_info|^\/spillway\//;

/** The default bounds of the instrumentator. */
const manySeconds = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30,
  60,
];
const fewSeconds = [0.1, 0.5, 1];

/** Declares the families. @returns A function that counts a response. */
export function declareHttpMetrics(
  registry: MetricsRegistry,
): (finished: FinishedExchange) => void {
  const requests = registry.counter({
    name: 'http_requests',
    help: 'Total number of requests by method, status and handler.',
    labels: ['method', 'status', 'handler'],
  });
  const sized = (direction: string) =>
    `Content length of ${direction} by handler. Only value of header is respected. Otherwise ignored. No percentile calculated. `;
  const requestBytes = registry.summary({
    name: 'http_request_size_bytes',
    help: sized('incoming requests'),
    labels: ['handler'],
  });
  const responseBytes = registry.summary({
    name: 'http_response_size_bytes',
    help: sized('outgoing responses'),
    labels: ['handler'],
  });
  const fine = registry
    .histogram({
      name: 'http_request_duration_highr_seconds',
      help: 'Latency with many buckets but no API specific labels. Made for more accurate percentile calculations. ',
      bounds: manySeconds,
    })
    .with();
  const coarse = registry.histogram({
    name: 'http_request_duration_seconds',
    help: 'Latency with only few buckets by handler. Made to be only used if aggregation by handler is important. ',
    labels: ['method', 'handler'],
    bounds: fewSeconds,
  });
  return (finished) => {
    const { handler, method, status, seconds } = finished;
    if (excluded.test(handler)) return;
    requests.with({ method, status: `${Math.floor(status / 100)}xx`, handler }).inc();
    requestBytes.with({ handler }).observe(finished.requestBytes);
    responseBytes.with({ handler }).observe(finished.responseBytes);
    fine.observe(seconds);
    coarse.with({ method, handler }).observe(seconds);
  };
}
