import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../core/base/index.ts';
import { createPolicy, RoutingCore } from '../../../core/routing/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { StatsLog } from './stats-log.ts';

function stats(urls: readonly string[], engine: (url: string) => Partial<Engine>) {
  let nowSeconds = 100;
  const core = new RoutingCore({
    policy: createPolicy('roundrobin', { random: seededRandom(1) }),
    clock: { nowSeconds: () => nowSeconds },
  });
  for (const url of urls) {
    core.addEndpoint({ url, models: ['m', 'adapter'] });
    core.setState(url, 'live', 'healthy');
  }
  const log = new StatsLog({
    ...{ core, intervalSeconds: 10, nowSeconds: () => nowSeconds },
    engines: new Map(urls.map((url) => [url, engine(url) as Engine])),
    log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
  });
  nowSeconds = 161;
  return { log, core };
}

test('the line has upstream’s figures of each engine', () => {
  const { log, core } = stats(['http://a', 'http://b'], (url) => ({
    label: url === 'http://a' ? 'one (http://a)' : url,
    report:
      url === 'http://a'
        ? ({
            running: 3,
            waiting: 2,
            prefixCacheHits: 30,
            prefixCacheQueries: 120,
          } as Engine['report'])
        : undefined,
    metrics: {
      rate: { perSecond: () => 1.5 },
      meanLatencySeconds: 0.25,
      meanTokenGapSeconds: url === 'http://a' ? 0.0123 : undefined,
    } as unknown as Engine['metrics'],
  }));
  core.setState('http://b', 'dead', 'gone');
  assert.equal(
    log.line(),
    'statistics after 61 s: ' +
      'one (http://a) [m, adapter] live, running 3, queued 2, cache hit rate 0.25, QPS 1.50, avg latency 0.25 s, ' +
      'avg ITL 0.0123 s, prefill 0, decoding 0, finished 0; ' +
      'http://b [m, adapter] dead, no engine metrics, QPS 1.50, avg latency 0.25 s, prefill 0, decoding 0, finished 0',
  );
});

test('a large fleet has a line of bounded length, and none at all says so', () => {
  const urls = Array.from({ length: 70 }, (_, i) => `http://e${i}`);
  assert.match(stats(urls, () => ({})).log.line(), /; and 6 more engines, on \/metrics$/);
  assert.equal(stats([], () => ({})).log.line(), 'statistics after 61 s: no engines');
});
