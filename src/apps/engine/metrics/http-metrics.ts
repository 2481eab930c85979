// What vLLM's page tells of its HTTP requests: the families of prometheus-fastapi-instrumentator.
import type { MetricsRegistry } from '../../../core/metrics/index.ts';

/** One answer that is out, or whose client has gone. */
export interface HttpAnswer {
  /** The route as it was registered, `/v1/responses/{response_id}`; `none` if there is none. */
  readonly handler: string;
  readonly method: string;
  readonly status: number;
  /** Content lengths as the heads say; 0 where they do not. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly seconds: number;
}

/** Wherever they stand in a path: vLLM looks for them as patterns, so also in /v1/load_lora_adapter. */
const excluded = /\/metrics|\/health|\/load|\/ping|\/version|\/server_info|^\/spillway\//;

/** The bounds of the instrumentator's defaults. */
const manySeconds = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30,
  60,
];
const fewSeconds = [0.1, 0.5, 1];

/** Declares the families. @returns What counts an answer. */
export function declareHttpMetrics(registry: MetricsRegistry): (answer: HttpAnswer) => void {
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
  return (answer) => {
    const { handler, method, status, seconds } = answer;
    if (excluded.test(handler)) return;
    requests.with({ method, status: `${Math.floor(status / 100)}xx`, handler }).inc();
    requestBytes.with({ handler }).observe(answer.requestBytes);
    responseBytes.with({ handler }).observe(answer.responseBytes);
    fine.observe(seconds);
    coarse.with({ method, handler }).observe(seconds);
  };
}
