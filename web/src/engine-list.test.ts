import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView } from '../../test/support/router-views.ts';
import { type EngineQuery, emulatedPart, engineSorts, selectEngines } from './engine-list.ts';

const totals = { requests: 9, errors: 0, retries: 0, clientErrors: 0, serverErrors: 0 };
const engines = [
  engineView('qwen-10', { reported: { kvUsage: 0.2, waiting: 3, running: 1 } }),
  engineView('qwen-2', {
    reported: { kvUsage: 0.9, waiting: 0, running: 4 },
    latencies: { ttft: { count: 1, p50: 1, p90: 2, p99: 3 }, tpot: null, e2e: null },
    rates: {
      ...{ promptTokensPerSecond: 0, generationTokensPerSecond: 50, hitRate: null },
      ...{ hbmHitTokensPerSecond: 0, lowerTierTokensPerSecond: 0 },
    },
  }),
  engineView('llama-1', {
    state: 'dead',
    serving_models: ['Llama-3.1'],
    reported: { kvUsage: 1, waiting: 99, running: 99 },
    totals: { ...totals, serverErrors: 5 },
  }),
];

function names(query: Partial<EngineQuery>): string {
  const all: EngineQuery = { text: '', state: 'all', sort: 'listed', ...query };
  return selectEngines(engines, all)
    .map(({ name }) => name)
    .join(' ');
}

test('engines are sorted by each column, numbers in names by value, the dead without figures', () => {
  const sorted = Object.fromEntries(engineSorts.map(([sort]) => [sort, names({ sort })]));
  assert.deepEqual(sorted, {
    listed: 'qwen-10 qwen-2 llama-1',
    name: 'llama-1 qwen-2 qwen-10',
    problems: 'llama-1 qwen-2 qwen-10',
    kv: 'qwen-2 qwen-10 llama-1',
    waiting: 'qwen-10 qwen-2 llama-1',
    running: 'qwen-2 qwen-10 llama-1',
    tokens: 'qwen-2 llama-1 qwen-10',
    ttft: 'qwen-2 llama-1 qwen-10',
    errors: 'llama-1 qwen-2 qwen-10',
  });
});

test('an ejected engine counts as a problem after those that are not live', () => {
  const ejected = engineView('ejected', { ejected: true });
  const sorted = selectEngines([...engines, ejected], { text: '', state: 'all', sort: 'problems' });
  assert.deepEqual(
    sorted.map(({ name }) => name),
    ['llama-1', 'ejected', 'qwen-2', 'qwen-10'],
  );
});

test('engines are filtered by name, address, model and state', () => {
  assert.equal(names({ text: ' QWEN ' }), 'qwen-10 qwen-2');
  assert.equal(names({ text: 'http://llama' }), 'llama-1');
  assert.equal(names({ text: '3.1' }), 'llama-1');
  assert.equal(names({ state: 'live' }), 'qwen-10 qwen-2');
  assert.equal(names({ state: 'not-live' }), 'llama-1');
  assert.equal(names({ text: 'none' }), '');
});

test('a fleet is emulated in whole, in part or not at all', () => {
  const of = (...list: (boolean | null)[]) =>
    emulatedPart(list.map((emulated, i) => engineView(`${i}`, { emulated })));
  assert.deepEqual(
    [of(), of(false, null), of(true, null), of(true, true)],
    [...['none', 'none', 'some', 'all']],
  );
});
