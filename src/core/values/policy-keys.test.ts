// Parameters of routing policies as keys of routerSpec.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { policyParameters } from '../routing/index.ts';
import { parameterSchema, policyParametersOf, withPolicyKeys } from './policy-keys.ts';
import { allKeys } from './schema-node.ts';

test('each parameter of each policy is a key of routerSpec, right after routingLogic', () => {
  const keys = allKeys().filter(({ path }) => path.startsWith('routerSpec.'));
  const after = keys.slice(keys.findIndex(({ key }) => key === 'routingLogic') + 1);
  for (const [i, { valuesKey, policy, unit, help }] of policyParameters.entries()) {
    assert.equal(after[i]?.key, valuesKey);
    assert.equal(after[i]?.node.description, `Parameter of ${policy}, in ${unit}: ${help}.`);
  }
});

test('a fractional parameter with a maximum accepts values between its bounds', () => {
  const schema = parameterSchema({
    ...{ policy: 'p', name: 'share', flag: '--share', valuesKey: 'share' },
    ...{ type: 'number', unit: 'shares', min: 0.25, max: 1, help: 'any' },
  });
  const taken = [0.2, 0.25, 0.5, 1, 1.1].filter((value) => schema.safeParse(value).success);
  assert.deepEqual(taken, [0.25, 0.5, 1]);
});

test('a key that the chart lacks is marked as Spillway’s own', () => {
  const origins = new Map(allKeys().map(({ key, node }) => [key, node['x-origin']]));
  assert.equal(origins.get('prefixMinMatchLength'), undefined);
  assert.equal(origins.get('kvAwareThreshold'), 'spillway');
});

test('refuses values outside a parameter’s range, and adds defaults', () => {
  const schema = z.strictObject(withPolicyKeys({ routingLogic: z.string() }));
  const parse = (parameters: object) => schema.safeParse({ routingLogic: 'x', ...parameters });
  for (const { name, valuesKey, min, default: standard } of policyParameters) {
    assert.equal(parse({ [valuesKey]: min }).success, true);
    assert.equal(parse({ [valuesKey]: min - 1 }).success, false);
    assert.equal(parse({ [valuesKey]: `${min}` }).success, false);
    assert.equal(policyParametersOf(parse({}).data ?? {})[name], standard);
  }
});

test('reads parameters by their names, and ignores other keys', () => {
  const routerSpec = { prefixMinMatchLength: 7, rootPath: '/v1' };
  const { prefixMinMatchLength, ...others } = policyParametersOf(routerSpec);
  assert.equal(prefixMinMatchLength, 7);
  assert.equal(others['kvAwareThreshold'], undefined);
  assert.equal(Object.hasOwn(others, 'rootPath'), false);
});

test('refuses a parameter with the key of another setting', () => {
  const taken = { routingLogic: z.string(), kvAwareThreshold: z.string() };
  assert.throws(() => withPolicyKeys(taken), /routerSpec.kvAwareThreshold is a policy's parameter/);
});
