// A router's requests in memory: engines that do as a test tells them, and a clock that stands still.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Engine } from '../../src/apps/router/fleet/engine.ts';
import { EngineMetrics } from '../../src/apps/router/metrics/engine-metrics.ts';
import { RouterMetrics } from '../../src/apps/router/metrics/router-metrics.ts';
import type { RouterOptions } from '../../src/apps/router/options.ts';
import { proxyContext } from '../../src/apps/router/requests/create-proxy-context.ts';
import type { RouterAdmission } from '../../src/apps/router/requests/router-admission.ts';
import { RouterHedging } from '../../src/apps/router/requests/router-hedging.ts';
import { SseKeepAlive } from '../../src/apps/router/requests/sse-keep-alive.ts';
import {
  AttemptWatch,
  type DeadlineSettings,
  type HedgeSettings,
} from '../../src/core/attempts/index.ts';
import { MetricsRegistry } from '../../src/core/metrics/index.ts';
import { createPolicy, type Policy, RoutingCore } from '../../src/core/routing/index.ts';
import type {
  ResponseHead,
  ResponseSink,
  Ticker,
  UpstreamFailure,
  UpstreamRequest,
} from '../../src/io/http/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import type { Tracing } from '../../src/io/otlp/index.ts';
import { headersOf } from './client-in-memory.ts';

/** A request on its way to an engine. */
export class Flight {
  readonly url: string;
  readonly request: UpstreamRequest;
  betweenChunks = true;
  isAborted = false;
  isPaused = false;
  readonly #sink: ResponseSink;

  constructor(url: string, request: UpstreamRequest, sink: ResponseSink) {
    this.url = url;
    this.request = request;
    this.#sink = sink;
  }

  abort(): void {
    this.isAborted = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** A whole response. */
  respond(status: number, body: string, contentType = 'application/json'): void {
    this.#sink.onHead(headOf(status, contentType, body.length), Buffer.from(body), true, 0);
  }

  /** A head with what comes with it. @returns Whether the bytes must stay as they are. */
  begin({
    status = 200,
    type = 'text/event-stream',
    framing = 'chunked',
    text = '',
    ended = false,
  }: {
    readonly status?: number;
    readonly type?: string;
    readonly framing?: ResponseHead['framing'];
    readonly text?: string;
    readonly ended?: boolean;
  } = {}): boolean {
    const head = { ...headOf(status, type), framing };
    return this.#sink.onHead(head, Buffer.from(text), ended, text === '' ? 0 : 1);
  }

  /** The head of a stream, without data. */
  head(contentType = 'text/event-stream'): void {
    this.begin({ type: contentType });
  }

  /** The head of a stream and its first event. */
  stream(event: string): void {
    this.#sink.onHead(headOf(200, 'text/event-stream'), chunksOf([event]), false, 1);
  }

  /** More events of the stream, each in a chunk of its own; `ended` with the last chunk. */
  send(events: readonly string[], { ended = false } = {}): void {
    // Nothing comes from a connection that is closed.
    if (this.isAborted) return;
    this.#sink.onBytes(chunksOf([...events, ...(ended ? [''] : [])]), ended, events.length);
  }

  /** A read of the body as it is. @returns Whether the router keeps the bytes. */
  read(text: string, { ended = false, chunks = 1 } = {}): boolean {
    return this.#sink.onBytes(Buffer.from(text), ended, chunks);
  }

  fail(kind: UpstreamFailure['kind'], { answered = false } = {}): void {
    const { betweenChunks } = this;
    this.#sink.onFailure({ kind, message: `it was ${kind}`, answered, betweenChunks });
  }
}

function chunksOf(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join(''));
}

function headOf(status: number, contentType: string, contentLength = -1): ResponseHead {
  return {
    ...{ status, reason: 'Status', framing: contentLength < 0 ? 'chunked' : 'length' },
    ...{ contentLength, keepAlive: true, headBytes: 0 },
    headers: headersOf({ 'content-type': contentType }),
  };
}

/** A router with the live engines A, B and C of the model `m`, which are picked in turn. */
export function routerInMemory(
  context: TestContext,
  options: {
    readonly deadlines?: Partial<DeadlineSettings>;
    readonly admission?: Partial<RouterAdmission>;
    readonly policy?: Partial<Policy>;
    readonly router?: Partial<RouterOptions>;
    readonly aliases?: ReadonlyMap<string, string>;
    /** Its timer is that of `setInterval`, so mock that first. */
    readonly hedging?: HedgeSettings;
    /** Comments on silent streams: their interval. */
    readonly sseKeepAliveSeconds?: number;
    readonly tracing?: Tracing;
  } = {},
) {
  // Of two mocks of one method, the first to be restored would leave the other one in place for all later tests.
  assert.ok(!('mock' in performance.now), 'one router in memory per test');
  const state = { nowMs: 100_000 };
  context.mock.method(performance, 'now', () => state.nowMs);
  const clock = { nowSeconds: () => state.nowMs / 1000 };
  const registry = new MetricsRegistry();
  const metrics = new RouterMetrics(registry, 60);
  const policy = createPolicy('roundrobin', { random: { next: () => 0 } });
  const core = new RoutingCore({
    ...{ policy: Object.assign(policy, options.policy), clock, slowStartSeconds: 0 },
    aliases: options.aliases,
  });
  const stream = new PassThrough();
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const flights: Flight[] = [];
  const reports: string[] = [];
  const engines = new Map(
    ['A', 'B', 'C'].map((name) => {
      const url = `http://${name.toLowerCase()}`;
      core.addEndpoint({ url, models: ['m'] });
      const pool = {
        send: (request: UpstreamRequest, sink: ResponseSink) => {
          flights.push(new Flight(name, request, sink));
          return flights.at(-1);
        },
      };
      const engine = {
        ...{
          url,
          pool,
          name,
          label: name,
          shown: { name, label: name },
          headerLines: `x-engine: ${name}\r\n`,
          host: 'h',
          basePath: '',
          takesTokenIds: true,
        },
        metrics: new EngineMetrics(metrics, url),
        failed: (why: string) => reports.push(`${name} out: ${why}`),
        suspect: () => reports.push(`${name} suspected`),
      };
      return [url, engine as unknown as Engine];
    }),
  );
  const watch = new AttemptWatch(clock, { engineWaitSeconds: 0, ...options.deadlines });
  const admission = options.admission as RouterAdmission | undefined;
  const router = { log, pickHeader: false, ...options.router } as RouterOptions;
  const hedging =
    options.hedging &&
    new RouterHedging({ settings: options.hedging, core, clock, admission, metrics });
  context.after(() => hedging?.stop());
  const { sseKeepAliveSeconds } = options;
  const silent: Parameters<Ticker['add']>[0][] = [];
  const ticker = { add: (one: (typeof silent)[0]) => void silent.push(one) } as unknown as Ticker;
  const proxy = proxyContext({
    ...{ core, metrics, engines, options: router, watch, clock, admission, hedging },
    tracing: options.tracing,
    keepAlive: sseKeepAliveSeconds ? new SseKeepAlive(ticker, sseKeepAliveSeconds) : undefined,
  });
  return {
    ...{ state, core, metrics, engines, flights, reports, proxy, hedging },
    flight: (index: number) => flights[index] ?? assert.fail(`no attempt ${index}`),
    /** Lets time pass, and deadlines with it. */
    pass: (ms: number) => {
      state.nowMs += ms;
      watch.check();
      for (const one of silent) one.onTick(0);
    },
    /** The value of a series of /metrics. */
    value: (series: string) => {
      const lines = registry.render().split('\n');
      const line = lines.find((one) => one.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length));
    },
    /** The page of /metrics that has exemplars. */
    openMetrics: () => [...registry.parts('openmetrics')].join(''),
    recent: () => metrics.recent.views((url) => url).at(-1) ?? assert.fail(),
    logged: () => {
      log.flush();
      return String(stream.read() ?? '');
    },
    tpot: () => metrics.windows.all(clock.nowSeconds()).tpot,
  };
}
