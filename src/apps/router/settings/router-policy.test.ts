import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvIndex } from '../../../core/kv/index.ts';
import { noTiers } from '../../../core/routing/index.ts';
import type { RouterOptions } from '../options.ts';
import { routerPolicy, statsIntervalMs } from './router-policy.ts';

const options = {} as RouterOptions;
const knowledge = { kvIndex: new KvIndex(), tiers: noTiers };

test('engines’ metrics are read every 5 s, or as often as the user says', () => {
  assert.equal(statsIntervalMs('roundrobin', options), 5_000);
  assert.equal(statsIntervalMs('predictive', { ...options, statsIntervalMs: 7 }), 7);
});

test('a policy has the name that was asked for; an unknown one is an error', () => {
  assert.equal(routerPolicy('roundrobin', options, knowledge).name, 'roundrobin');
  assert.throws(() => routerPolicy('nosuch', options, knowledge), /nosuch/);
});
