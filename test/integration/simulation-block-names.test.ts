import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../src/core/base/index.ts';
import { createPolicy, type Policy, type RoutingRequest } from '../../src/core/routing/index.ts';
import { fleetOf, simulateFleet, withSessions } from '../../src/core/simulation/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';

/** The policy, with nothing but the bytes of the prompt to go by. */
function fromBytes(policy: Policy): Policy {
  return new Proxy(policy, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== 'pick') return typeof value === 'function' ? value.bind(target) : value;
      return (request: RoutingRequest, ...rest: never[]) => {
        const { promptBlockNames: _, ...bare } = request;
        return Reflect.apply(value, target, [bare, ...rest]);
      };
    },
  });
}

for (const name of ['predictive', 'prefixaware']) {
  test(`${name} routes by the trace's blocks exactly as by the bytes of the text`, async () => {
    const path = 'bench/data/mooncake-conversation.jsonl.gz';
    const { requests } = await loadTrace(path, { requests: 300 });
    const play = (wrap: (policy: Policy) => Policy) =>
      simulateFleet({
        requests: withSessions(requests),
        engines: fleetOf({ engines: 3 }),
        policy: wrap(createPolicy(name, { random: seededRandom(1) })),
        traceBlockTokens: 512,
        speed: 4,
      });
    const [named, hashed] = [play((policy) => policy), play(fromBytes)];
    assert.deepEqual(named.engineOf, hashed.engineOf);
    assert.deepEqual(named.ttftSeconds, hashed.ttftSeconds);
    assert.ok(named.hitRate > 0.01);
  });
}
