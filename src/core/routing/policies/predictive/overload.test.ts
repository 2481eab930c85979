// What predictive does when the requests in flight need all memory of the fleet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import { RoutingCore } from '../../routing-core.ts';
import { PredictivePolicy } from './predictive.ts';

const promptTokens = 4000;
const prompt = (name: string) =>
  routingRequest(`${name} `.repeat(4 * promptTokens).slice(0, 4 * promptTokens));

/**
 * Two engines with ten requests each in decode.
 *
 * @param roomPrompts Space of each engine's KV cache, in prompts; undefined: the engine does not report.
 * @param returning Whether the second engine's last prompts were cached there.
 * @param queued Prompts that wait for prefill at the first engine.
 * @returns The share of new prompts that the first engine gets.
 */
function firstShare(
  roomPrompts: readonly (number | undefined)[],
  returning = false,
  queued = 0,
): number {
  const clock = new ManualClock();
  const policy = new PredictivePolicy(seededRandom(1), { placementWeight: 0 });
  const core = new RoutingCore({ policy, clock });
  const urls = ['http://a', 'http://b'];
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  let attempt = 0;
  for (const url of urls) {
    for (let i = 0; i < 10; i++, attempt++) {
      const cachedTokens = returning && url === urls[1] ? promptTokens - 100 : 0;
      const about = { url, promptTokens, cachedTokens, stream: true, blocks: undefined };
      core.receive('peer', { kind: 'sent', attempt, ...about });
      core.receive('peer', { kind: 'firstByte', attempt });
    }
  }
  const waiting = { promptTokens, cachedTokens: 0, stream: true, blocks: undefined };
  for (let i = 0; i < queued; i++, attempt++) {
    core.receive('peer', { kind: 'sent', attempt, url: urls[0] as string, ...waiting });
  }
  clock.advance(1);
  for (const [i, url] of urls.entries()) {
    const room = roomPrompts[i];
    if (room === undefined) continue;
    const kvUsage = 0.98 - (room * promptTokens + 1) / 1e6;
    const report = { running: 10, waiting: 0, kvUsage, blocksTotal: 10_000, blockTokens: 100 };
    core.setReported(url, { atSeconds: clock.nowSeconds(), ...report });
  }
  const picks = Array.from({ length: 40 }, (_, i) => core.route(prompt(`new ${i}`)).pick);
  return picks.filter(({ endpoint }) => endpoint.url === urls[0]).length / picks.length;
}

test('a new prompt goes where prompts wait for memory already, and evicts nothing elsewhere', () => {
  assert.equal(firstShare([-1, 0.2]), 1);
  assert.equal(firstShare([0.2, -1]), 0);
});

test('while an engine has room for three prompts, none is sent to a full one', () => {
  assert.equal(firstShare([-40, 3]), 0);
  assert.equal(firstShare([3, -40]), 1);
});

test('in a fleet that is short of memory, new prompts avoid the engine whose conversations return', () => {
  assert.equal(firstShare([-1, -1], true), 1);
  // With room, they are equal, and the one with less recent prefill wins.
  assert.equal(firstShare([50, 50], true), 0);
});

test('the prefixes of ten conversations are worth the wait for forty prompts', () => {
  assert.equal(firstShare([-40, -1], true, 40), 1);
  assert.equal(firstShare([-40, -1], true, 400), 0);
});

test('a fleet with an engine that does not report is not short of memory', () => {
  assert.equal(firstShare([-1, undefined], true), 0);
});
