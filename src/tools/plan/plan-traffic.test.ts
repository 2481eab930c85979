import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorkload } from '../../core/workload/index.ts';
import { planTraffic, primedGroups } from './plan-traffic.ts';
import type { PlanWorkload } from './resolve-input.ts';

const workload: PlanWorkload = {
  promptTokens: { mean: 800, p95: 800, max: 800, sigma: 0 },
  outputTokens: { mean: 50, p95: 50, max: 50, sigma: 0 },
  ...{ concurrency: undefined, requestsPerSecond: 10, preemptionsPerMinute: 0 },
  ...{ prefixReuse: 'system-prompt', sharedPrefixTokens: 400, prefixGroups: 6, loraAdapters: 3 },
};

/** First KV blocks of the prompts, by adapter. */
function firstBlocks(kind: PlanWorkload): Map<number | undefined, Set<number | undefined>> {
  const options = {
    requests: 60,
    clients: undefined,
    e2eSeconds: 2,
    wayInSeconds: 0,
    prefillTokensPerSecond: 10_000,
  };
  const traffic = planTraffic({ workload: kind, ...options });
  const { source } = startWorkload(traffic, { blockTokens: 16, seed: 1 });
  const found = new Map<number | undefined, Set<number | undefined>>();
  for (let index = 0; Number.isFinite(source.nextSeconds); index++) {
    const request = source.take();
    source.answered(index, request.arrivalSeconds);
    const blocks = found.get(request.adapterId) ?? new Set();
    found.set(request.adapterId, blocks.add(request.blockIds[0]));
  }
  return found;
}

for (const prefixReuse of ['system-prompt', 'agents'] as const) {
  test(`no prefix is shared between adapters: ${prefixReuse}`, () => {
    const byAdapter = firstBlocks({ ...workload, prefixReuse });
    assert.deepEqual([...byAdapter.keys()].toSorted(), [1, 2, 3]);
    const sets = [...byAdapter.values()];
    const total = sets.reduce((sum, blocks) => sum + blocks.size, 0);
    assert.equal(total, new Set(sets.flatMap((blocks) => [...blocks])).size);
  });
}

test('without adapters all requests are for the base model', () => {
  assert.deepEqual([...firstBlocks({ ...workload, loraAdapters: 0 }).keys()], [undefined]);
});

test('more prefixes than requests are all in a cache before the first question, up to a limit', () => {
  const requests = 60;
  const sourceOf = (prefixGroups: number) =>
    startWorkload(
      planTraffic({
        workload: { ...workload, prefixGroups, loraAdapters: 0 },
        ...{ requests, clients: undefined, e2eSeconds: 2, wayInSeconds: 0 },
        prefillTokensPerSecond: 10_000,
      }),
      { blockTokens: 16, seed: 1 },
    ).source;
  const source = sourceOf(200);
  const seen = new Set<number | undefined>();
  let [filled, questions, lastFilled] = [0, 0, 0];
  for (let index = 0; Number.isFinite(source.nextSeconds); index++) {
    const request = source.take();
    source.answered(index, request.arrivalSeconds);
    const [prefix] = request.blockIds;
    if (request.outputTokens === 1) {
      [filled, lastFilled] = [filled + 1, request.arrivalSeconds];
      seen.add(prefix);
    } else {
      questions += 1;
      assert.ok(seen.has(prefix) && request.arrivalSeconds > lastFilled);
    }
  }
  assert.deepEqual([filled, questions], [200, requests]);
  // 200 prompts of 400 tokens at 10,000 tokens per second, with slack.
  assert.ok(lastFilled > 8 && lastFilled < 12, `${lastFilled}`);
  assert.equal(primedGroups({ ...workload, prefixGroups: 100_000 }), 4096);
});
