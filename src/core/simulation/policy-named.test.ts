// Policies by name, as simulated fleets get them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engine, promptOf, send } from '../../../test/support/peer-fleet.ts';
import { seededRandom } from '../base/index.ts';
import { policyNames } from '../routing/index.ts';
import { fleetOf } from './fleet-engines.ts';
import { policyNamed, simulatedPolicyNames } from './policy-named.ts';

const engines = fleetOf({ engines: 2 });

test('every policy of the router and of the peers is created under its name', () => {
  for (const name of policyNames) assert.ok(simulatedPolicyNames.includes(name));
  for (const name of simulatedPolicyNames) {
    const { policy } = policyNamed(name, engines);
    assert.equal(typeof policy === 'function' && policy({ random: seededRandom(1) }).name, name);
  }
});

test('engines report as often as the policy declares', () => {
  assert.equal(policyNamed('llmd-322-precise', engines).reportSeconds, 0.05);
  assert.equal(policyNamed('predictive', engines).reportSeconds, undefined);
});

test('an unknown name is refused', () => {
  assert.throws(() => policyNamed('fastest', engines), {
    name: 'RangeError',
    message: /"fastest"/,
  });
});

test('the peak rate of llm-d’s sticky policies is that of the slowest engine, unless it is given', () => {
  const [fast] = engines;
  assert.ok(fast);
  const { maxNumBatchedTokens } = fast.config;
  // A full step takes 8 s, so 18 s behind are 2.25 steps of tokens.
  const slow = { config: fast.config, cost: { stepSeconds: () => 8 } };
  const { policy } = policyNamed('llmd-sticky-approximate', [fast, slow]);
  const pickWith = (behindTokens: number, parameters = {}) => {
    assert.ok(typeof policy === 'function');
    const sticky = policy({ random: seededRandom(1), parameters });
    const holder = engine('holder', { prefillTokens: behindTokens });
    send(sticky, promptOf('abcd'), holder);
    return sticky.pick(promptOf('abcd'), [holder, engine('idle')], 1).endpoint.url;
  };
  assert.equal(pickWith(2.2 * maxNumBatchedTokens), 'holder');
  assert.equal(pickWith(2.3 * maxNumBatchedTokens), 'idle');
  const given = { peakTokensPerSecond: maxNumBatchedTokens };
  assert.equal(pickWith(2.3 * maxNumBatchedTokens, given), 'holder');
});
