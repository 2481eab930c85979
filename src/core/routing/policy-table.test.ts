// The table of the router's policies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/index.ts';
import {
  createPolicy,
  defaultPolicyName,
  findPolicy,
  policies,
  policyNames,
  policyParameters,
  requiresKvEvents,
  unusedParameters,
} from './index.ts';

test('policies are found and created by their names, which are in alphabetical order', () => {
  assert.deepEqual(policyNames, [...policyNames].sort());
  assert.ok(policyNames.includes(defaultPolicyName));
  for (const name of policyNames) {
    assert.equal(findPolicy(name)?.name, name);
    assert.equal(createPolicy(name, { random: seededRandom(1) }).name, name);
  }
  assert.equal(findPolicy('fastest'), undefined);
});

test('kvaware requires KV events, predictive works without them, and other policies do not read them', () => {
  const required = ['kvaware', 'predictive', 'roundrobin', 'fastest'].filter(requiresKvEvents);
  assert.deepEqual(required, ['kvaware']);
});

test('an unknown policy is refused with the names that exist', () => {
  assert.throws(
    () => createPolicy('fastest', { random: seededRandom(1) }),
    /There is no routing policy "fastest"; --routing-logic takes .*roundrobin/,
  );
});

test('no two parameters share a name, a flag or a values key', () => {
  const [names, flags, keys] = [new Set(), new Set(), new Set()];
  for (const { name, flag, valuesKey } of policyParameters) {
    names.add(name);
    flags.add(flag);
    keys.add(valuesKey);
  }
  const { length } = policyParameters;
  assert.deepEqual([names.size, flags.size, keys.size], [length, length, length]);
});

test('flags are in kebab case and keys in camel case', () => {
  for (const { flag, valuesKey } of policyParameters) {
    assert.match(flag, /^--[a-z]+(-[a-z]+)*$/);
    assert.match(valuesKey, /^[a-z][A-Za-z]*$/);
  }
});

test('upstream’s parameters keep upstream’s names, defaults and limits', () => {
  const named = new Map(policyParameters.map((parameter) => [parameter.flag, parameter]));
  const threshold = named.get('--kv-aware-threshold');
  assert.deepEqual(
    [threshold?.policy, threshold?.min, threshold?.default],
    ['kvaware', 0, undefined],
  );
  const length = named.get('--prefix-min-match-length');
  assert.deepEqual([length?.policy, length?.valuesKey], ['prefixaware', 'prefixMinMatchLength']);
  assert.deepEqual([length?.min, length?.default], [0, 0]);
});

test('given parameters of other policies are reported as unused', () => {
  const given = { prefixMinMatchLength: 0, kvAwareThreshold: undefined };
  const flagsUnusedBy = (name: string) => unusedParameters([name], given).map(({ flag }) => flag);
  assert.deepEqual(flagsUnusedBy('predictive'), ['--prefix-min-match-length']);
  assert.deepEqual(flagsUnusedBy('prefixaware'), []);
});

test('every policy has a summary, and every parameter a help text', () => {
  const help = policyParameters.map((parameter) => parameter.help);
  for (const clause of [...policies.map(({ summary }) => summary), ...help]) {
    assert.match(clause, /^[a-z].*[^.]$/);
  }
});
