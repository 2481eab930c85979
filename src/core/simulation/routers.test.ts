// Several routers before one fleet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/index.ts';
import { KvIndex } from '../kv/index.ts';
import { createPeerPolicy } from '../peer-policies/index.ts';
import { simulateFleet } from './fleet.ts';
import { fleetOf } from './fleet-engines.ts';
import type { FleetSimulationOptions, SimulatedRequest } from './fleet-options.ts';

/** Ten documents of 8 blocks, asked about in turn. */
const requests: readonly SimulatedRequest[] = Array.from({ length: 300 }, (_, i) => ({
  arrivalSeconds: i * 0.2,
  promptTokens: 9 * 512,
  outputTokens: 20,
  blockIds: [...Array.from({ length: 8 }, (_, b) => (i % 10) * 8 + b), 1000 + i],
}));

function play(
  policy: FleetSimulationOptions['policy'],
  routers: number,
  options: Pick<FleetSimulationOptions, 'sharesAttempts'> = {},
) {
  const engines = fleetOf({ engines: 4 });
  return simulateFleet({ requests, engines, policy, routers, traceBlockTokens: 512, ...options });
}

test('routers that do not share their state each place a document anew', () => {
  const one = play('prefixaware', 1).hitRate;
  const three = play('prefixaware', 3).hitRate;
  assert.ok(three < one - 0.02, `${three} with three routers, ${one} with one`);
});

test('KV events give all routers the same information', () => {
  const one = play('kvaware', 1).hitRate;
  const three = play('kvaware', 3).hitRate;
  assert.ok(Math.abs(one - three) < 0.01, `${three} with three routers, ${one} with one`);
});

test('requests reach all routers, and equal seeds give equal runs', () => {
  const counts: number[] = [];
  const counted: FleetSimulationOptions['policy'] = (options) => {
    const policy = createPeerPolicy('least-request', options);
    const router = counts.push(0) - 1;
    return {
      name: policy.name,
      needsTokens: false,
      pick: (...args) => {
        counts[router] = (counts[router] ?? 0) + 1;
        return policy.pick(...args);
      },
    };
  };
  const { engineOf } = play(counted, 3);
  assert.equal(counts.length, 3);
  for (const count of counts) assert.ok(count > 70 && count < 130, `${counts}`);
  assert.deepEqual(play(counted, 3).engineOf, engineOf);
});

test('one policy object for several routers is refused, because they would share its state', () => {
  const options = { random: seededRandom(1), kvIndex: new KvIndex() };
  const policy = createPeerPolicy('random', options);
  assert.throws(() => play(policy, 2), /One policy object cannot serve several routers/);
});

test('three routers that share their attempts balance like one, also without KV events', () => {
  const alone = play('predictive', 1);
  const unshared = play('predictive', 3);
  const sharing = play('predictive', 3, { sharesAttempts: true });
  assert.ok(unshared.hitRate < alone.hitRate - 0.02, `${unshared.hitRate} of ${alone.hitRate}`);
  assert.ok(Math.abs(sharing.hitRate - alone.hitRate) < 0.01, `${sharing.hitRate}`);
  assert.deepEqual(play('predictive', 3, { sharesAttempts: true }).engineOf, sharing.engineOf);
});

test('updates take time: requests that reach two routers within it are picked independently', () => {
  // Two at a time, to a fleet of two: whoever knows of the other request takes the other engine.
  const pairs = (apartSeconds: number) =>
    Array.from({ length: 200 }, (_, i) => ({
      arrivalSeconds: (i >> 1) * 60 + (i % 2) * apartSeconds,
      promptTokens: 8 * 512,
      outputTokens: 2,
      blockIds: Array.from({ length: 8 }, (_, b) => 8 * i + b),
    }));
  const collisions = (apartSeconds: number) => {
    const engines = fleetOf({ engines: 2 });
    const shared = { policy: 'leastloaded', routers: 3, sharesAttempts: true, engines };
    const { engineOf } = simulateFleet({
      ...{ requests: pairs(apartSeconds), traceBlockTokens: 512, ...shared },
    });
    return Array.from({ length: 100 }, (_, i) => engineOf[2 * i] === engineOf[2 * i + 1]).filter(
      Boolean,
    ).length;
  };
  assert.ok(collisions(0.001) > 20, `${collisions(0.001)} of 100`);
  assert.equal(collisions(0.02), 0);
});
