// What bench/claims.ts says of runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loads, type Run, setups, simulateCommand } from '../../bench/claims/loads.ts';
import { claimsPage } from '../../bench/claims/page.ts';

/** Two seeds of a load: TTFT by set-up, everything else equal. */
function runsOf(load: string, ttftMs: Readonly<Record<string, readonly number[]>>): Run[] {
  return Object.entries(ttftMs).flatMap(([setup, values]) =>
    values.map((ttft, i) => ({
      ...{ load, setup, seed: i + 1, ttftMs: ttft, e2eMs: 100, itlMs: 10, tokensPerSecond: 50 },
    })),
  );
}

test('a claim is true, open or not by the interval of the gain over its baseline', () => {
  const page = claimsPage(
    [
      ...runsOf('multi-turn-1', { 'round robin': [400, 404], stack: [100, 101] }),
      ...runsOf('multi-turn-3', { 'round robin': [200, 600], stack: [100, 100] }),
      ...runsOf('unshared-10', { 'round robin': [100, 110], stack: [100, 110] }),
    ],
    { command: 'node bench/claims.ts', commit: 'c0ffee' },
  );
  assert.ok(
    page.includes(
      '| Responses come 3 to 10 times as fast. | mean TTFT | all loads | round robin | multi-turn-1 | multi-turn-3 | unshared-10 |',
    ),
    page,
  );
  // Without runs of the other baseline nothing is said of it.
  assert.ok(page.includes('| mean TTFT | all loads | session | – | – | – |'));
  assert.ok(page.includes('| multi-turn-1 | 402 | – | – | 101 | 4.00 (4.00 to 4.00) | – |'));
});

test('each figure is a command that names load, policy and offload', () => {
  const load = loads.find(({ name }) => name === 'rag-one-document-closed');
  const stack = setups.find(({ name }) => name === 'stack');
  assert.ok(load && stack);
  assert.equal(
    simulateCommand(load, stack),
    'spillway simulate -f bench/claims/stack.yaml --set routerSpec.routingLogic=predictive --offload lmcache=100 --seed 1 --workload bench/claims/rag-one-document.yaml --set-workload arrivals.clients=64',
  );
});
