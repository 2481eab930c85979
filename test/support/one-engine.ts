// One engine of a router, at a scripted engine on a real socket.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { Engine, type EngineOptions } from '../../src/apps/router/fleet/engine.ts';
import { LatencyWindows } from '../../src/apps/router/metrics/latency-windows.ts';
import { RouterMetrics } from '../../src/apps/router/metrics/router-metrics.ts';
import { engineViews, mergedModels } from '../../src/apps/router/routes/engine-views.ts';
import { KvIndex } from '../../src/core/kv/index.ts';
import { MetricsRegistry } from '../../src/core/metrics/index.ts';
import { createPolicy, RoutingCore } from '../../src/core/routing/index.ts';
import { Ticker, type UpstreamRequest } from '../../src/io/http/index.ts';
import { KvIndexFeed } from '../../src/io/kv-events/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { type Script, startScriptedEngine } from './scripted-engine.ts';

const clock = { nowSeconds: () => 100 };

/** Starts the engine that a script describes, and the router's side of it; both end with the test. */
export async function oneEngine(
  context: TestContext,
  script: Script,
  options: Partial<EngineOptions> & {
    readonly basePath?: string;
    readonly level?: 'debug' | 'info';
  } = {},
) {
  const scripted = await startScriptedEngine(script);
  const ticker = new Ticker({ tickMs: 20 });
  const policy = createPolicy('roundrobin', { random: { next: () => 0 } });
  const core = new RoutingCore({ policy, clock });
  const stream = new PassThrough();
  const { basePath = '', level = 'info', ...others } = options;
  const log = createLogger({ stream, level, format: 'text' });
  const notLive = new Set<Engine>();
  const engine = new Engine({
    ...{ url: scripted.url + basePath, name: undefined, assumedModels: [], core, ticker },
    metrics: new RouterMetrics(new MetricsRegistry(), 60),
    ...{ log, authorization: undefined, healthTimeoutMs: () => 20_000, notLive },
    // No connection closes on its own.
    limits: { idleTimeoutMs: 0 },
    ...others,
  });
  context.after(async () => {
    engine.close();
    ticker.stop();
    await scripted.close();
  });
  const engines = new Map([[engine.url, engine]]);
  const view = (nowSeconds: number) => {
    const feed = new KvIndexFeed(new KvIndex());
    const windows = new LatencyWindows();
    return engineViews(core, engines, { nowSeconds, feed, windows })[0] ?? assert.fail();
  };
  const models = (aliases = new Map<string, string>()) => mergedModels(core, engines, aliases).data;
  const state = () => core.endpoint(engine.url)?.state;
  /** Lines of the log since the last call. */
  const logged = () => {
    log.flush();
    return String(stream.read() ?? '');
  };
  const paths: string[] = [];
  const send = engine.pool.send.bind(engine.pool);
  context.mock.method(engine.pool, 'send', (request: UpstreamRequest, ...rest: Rest) => {
    const [, target = ''] = request.head.split(' ', 2);
    // Metrics by name and the whole page are one thing to most tests.
    paths.push(target.replace(/\/metrics\/\?.*/, '/metrics'));
    return send(request, ...rest);
  });
  return {
    ...{ engine, core, view, models, state, logged, scripted },
    /** What the engine was asked for since the last call. */
    asked: () => paths.splice(0).sort(),
  };
}

type Rest = Parameters<Engine['pool']['send']> extends [unknown, ...infer Tail] ? Tail : never;
