import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock } from '../../../base/index.ts';
import { RoutingCore } from '../../routing-core.ts';
import { RoundRobinPolicy } from './roundrobin.ts';

function routes(core: RoutingCore, times: number, exclude?: ReadonlySet<string>): string {
  return Array.from({ length: times }, () => core.route(routingRequest(), exclude))
    .map(({ pick }) => pick.endpoint.url)
    .join('');
}

function fleetOf(urls: string): RoutingCore {
  const core = new RoutingCore({ policy: new RoundRobinPolicy(), clock: new ManualClock() });
  for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  return core;
}

test('roundrobin gives each engine its turn in order', () => {
  assert.equal(routes(fleetOf('abc'), 7), 'abcabca');
});

test('an engine excluded from half of the picks gets its share of the rest, and no burst later', () => {
  const core = fleetOf('abc');
  let picks = '';
  for (let i = 0; i < 60; i++) picks += routes(core, 1, i % 2 === 0 ? new Set('a') : undefined);
  const shares = [...'abc'].map((url) => picks.split(url).length - 1);
  assert.deepEqual(shares, [15, 23, 22]);
  assert.match(routes(core, 3), /^(abc|acb|bac|bca|cab|cba)$/);
});

test('an engine that joins gets its turn next, then waits like the others', () => {
  const core = fleetOf('ab');
  assert.equal(routes(core, 3), 'aba');
  core.addEndpoint({ url: 'c', models: ['m'] });
  assert.equal(routes(core, 6), 'cbacba');
});
