import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { engineView } from '../../../test/support/router-views.ts';
import type { PickView, RequestView } from '../../core/views/index.ts';
import { type EnginePanelOptions, enginePanel } from './engine-panel.ts';
import type { EngineDetails, ProcessSnapshot } from './snapshot.ts';

const process: ProcessSnapshot = {
  ...{ name: 'a-1', kind: 'embedded', url: 'http://a:1', model: 'm', state: 'ready', detail: '' },
  ...{ pid: 1, restarts: 0 },
};
const request: RequestView = {
  ...{ atSeconds: 1, requestId: 'req-1', model: 'm', url: 'http://a:1', engine: 'a-1' },
  ...{ outcome: 'completed', status: 200, ttftSeconds: 0.05, seconds: 1.5, outputTokens: 32 },
  ...{ sentSeconds: 0.001, attempts: 1, promptTokens: 1200, cachedTokens: 1024 },
};
const pick: PickView = {
  ...{ atSeconds: 1, requestId: 'req-1', model: 'm', promptTokens: 1200, url: 'http://a:1' },
  ...{ engine: 'a-1', reason: 'fewest tokens', cachedTokens: 1024, candidates: [], scores: null },
};
const details: EngineDetails = {
  name: 'a-1',
  log: ['loading', '\x1b[32mready\x1b[0m'],
  requests: [request, { ...request, requestId: 'req-2', outcome: 'cancelled', ttftSeconds: null }],
  picks: [pick],
  history: undefined,
};
const engine = engineView('a-1', {
  emulated: true,
  rates: {
    ...{ promptTokensPerSecond: 0, generationTokensPerSecond: 310, hitRate: null },
    ...{ hbmHitTokensPerSecond: 0, lowerTierTokensPerSecond: 0 },
  },
  reported: { kvUsage: 0.33, running: 12, waiting: 0 },
  latencies: { ttft: { count: 176, p50: 0.049, p90: 0.1, p99: 0.981 }, tpot: null, e2e: null },
  totals: { requests: 40, errors: 0, retries: 0, clientErrors: 2, serverErrors: 1 },
});

function panel(options: Partial<EnginePanelOptions> = {}): string[] {
  return enginePanel({
    ...{ process, engine, details, tab: 'log', width: 120, height: 20 },
    style: { hasColour: false, hasUnicode: true },
    ...options,
  });
}

test('an engine shows its name, address, figures, latencies and log', () => {
  assert.deepEqual(panel(), [
    'a-1 · http://a:1 · m · live · emulated',
    'HBM 33% · running 12 · waiting 0 · in flight 0 · 310 tokens/s · 40 sent · 4xx 2 · 5xx 1',
    '           p50      p90      p99 requests',
    'TTFT      49ms    100ms    981ms      176',
    '[1 log]  2 requests   3 picks ',
    'loading',
    'ready',
  ]);
});

test('its requests and picks are listed below their titles', () => {
  assert.deepEqual(panel({ tab: 'requests' }).slice(-3), [
    '    status      TTFT       E2E    tokens  request',
    '       200      50ms     1.50s        32  req-1',
    ' cancelled         -     1.50s        32  req-2',
  ]);
  assert.deepEqual(panel({ tab: 'picks' }).slice(-2), [
    '    prompt    cached  why',
    '      1200      1024  fewest tokens',
  ]);
  assert.deepEqual(panel({ tab: 'requests', height: 7 }).slice(-2), [
    '    status      TTFT       E2E    tokens  request',
    ' cancelled         -     1.50s        32  req-2',
  ]);
});

test('a dead engine shows why and since when, and none of its last figures', () => {
  const dead = engineView('a-1', {
    ...{ state: 'dead', reason: 'connect ECONNREFUSED', stateSeconds: 75 },
    reported: { kvUsage: 0.5, running: 7 },
  });
  const lines = panel({ engine: dead });
  assert.match(lines[1] ?? '', /^HBM - · running - · waiting - · .* - tokens\/s/);
  assert.equal(lines[2], 'dead for 1:15: connect ECONNREFUSED');
  assert.equal(lines[3], 'no latencies in the last minutes');
});

test('an ejected engine shows the reason', () => {
  const lines = panel({
    engine: engineView('a-1', { ejected: true, reason: 'half of 20 failed' }),
  });
  assert.equal(lines[2], 'half of 20 failed');
});

test('missing details, requests and logs are reported', () => {
  assert.equal(panel({ details: undefined }).at(-1), 'loading');
  const empty = { ...details, log: [], requests: [], picks: [] };
  const last = (options: Partial<EnginePanelOptions>) =>
    panel({ details: empty, ...options }).at(-1);
  assert.equal(last({ tab: 'requests' }), 'no requests yet');
  assert.equal(last({ tab: 'picks' }), 'no requests yet');
  assert.equal(last({}), 'it has printed nothing yet');
  assert.match(last({ process: { ...process, kind: 'url' } }) ?? '', /not started here/);
  const restarting = { ...process, state: 'restarting', detail: 'killed by SIGKILL' };
  assert.deepEqual(panel({ engine: undefined, process: restarting }).slice(0, 2), [
    'a-1 · http://a:1 · m · restarting',
    'killed by SIGKILL',
  ]);
});

test('the panel fits into every window', () => {
  const history = {
    ...{ url: 'http://a:1', name: 'a-1' },
    series: { kvUsage: Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? null : i / 300)) },
  } as unknown as EngineDetails['history'];
  const log = Array.from({ length: 50 }, (_, i) => `line ${i} ${'x'.repeat(i * 5)}`);
  fc.assert(
    fc.property(
      ...[fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 40 })],
      fc.constantFrom('log', 'requests', 'picks'),
      (width, height, tab) => {
        const lines = panel({ width, height, tab, details: { ...details, log, history } });
        assert.ok(lines.length <= height, `${lines.length} of ${height}`);
        for (const line of lines) assert.ok(line.length <= width, line);
      },
    ),
  );
});

test('an engine without a model has none in its title', () => {
  const [title] = panel({ process: { ...process, model: undefined }, engine: undefined });
  assert.equal(title, 'a-1 · http://a:1 · ready');
});

test('the reason of a process is shown only while it restarts and if it has one', () => {
  const second = (state: string, detail: string) =>
    panel({ engine: undefined, process: { ...process, state, detail } })[1];
  assert.equal(second('restarting', 'killed'), 'killed');
  assert.equal(second('restarting', ''), '[1 log]  2 requests   3 picks ');
  assert.equal(second('ready', 'listening'), '[1 log]  2 requests   3 picks ');
});

test('the use of HBM over time fills the line, from two points on', () => {
  const lineWith = (kvUsage: readonly number[], hasUnicode = true, width = 8) => {
    const history = { url: 'u', name: 'a-1', series: { kvUsage } } as unknown;
    const lines = panel({
      ...{ engine: undefined, width, style: { hasColour: false, hasUnicode } },
      details: { ...details, history: history as EngineDetails['history'] },
    });
    return lines.find((line) => line.startsWith('HBM'));
  };
  assert.equal(lineWith([0, 1]), 'HBM  ▁█');
  assert.equal(lineWith([0, 0.5, 1]), 'HBM  ▁▅█');
  assert.equal(lineWith([1, 1, 0, 0.5, 1, 1]), 'HBM  █▅█');
  assert.equal(lineWith([0, 1], true, 6), 'HBM  █');
  assert.equal(lineWith([1]), undefined);
  assert.equal(lineWith([0, 1], false), undefined);
});

test('one request is a list', () => {
  const lines = panel({ tab: 'requests', details: { ...details, requests: [request] } });
  assert.match(lines.at(-1) ?? '', / req-1$/);
});
