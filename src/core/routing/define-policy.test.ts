// The result of a declaration: names of flags and keys, defaults, ranges, and the arguments of `create`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/index.ts';
import { KvIndex } from '../kv/index.ts';
import { definePolicy } from './define-policy.ts';
import type { Need, ParameterValues, Policy } from './index.ts';
import { allowedText } from './policy-parameter.ts';

const random = seededRandom(1);
const inert = {} as Policy;

/** A policy with one parameter of each kind, and the last arguments of its `create`. */
function declared() {
  const got: { queueMax?: number | undefined; hitShare?: number }[] = [];
  const policy = definePolicy({
    name: 'short-queue',
    summary: 'the engine with the shortest queue',
    parameters: {
      queueMax: { type: 'integer', unit: 'requests', min: 1, help: 'a longer queue is left' },
      hitShare: {
        ...{ type: 'number', unit: 'shares', min: 0, max: 1, default: 0.5 },
        help: 'a smaller hit counts as none',
        upstream: { flag: '--cache-share', valuesKey: 'cacheShare' },
      },
    },
    consumes: {},
    create: ({ parameters }) => {
      got.push(parameters);
      return inert;
    },
  });
  const createWith = (parameters?: ParameterValues) => {
    policy.create({ random, parameters });
    return got.at(-1);
  };
  return { policy, createWith };
}

test('a parameter has the flag and the key of its name, or those of upstream', () => {
  const { policy } = declared();
  assert.deepEqual(
    policy.parameters.map(({ policy, name, flag, valuesKey }) => [policy, name, flag, valuesKey]),
    [
      ['short-queue', 'queueMax', '--queue-max', 'queueMax'],
      ['short-queue', 'hitShare', '--cache-share', 'cacheShare'],
    ],
  );
});

test('an omitted parameter has its default, and parameters of other policies are ignored', () => {
  const { createWith } = declared();
  assert.deepEqual(createWith(), { queueMax: undefined, hitShare: 0.5 });
  const given = { queueMax: 3, hitShare: undefined, prefixMinMatchLength: 4 };
  assert.deepEqual(createWith(given), { queueMax: 3, hitShare: 0.5 });
  assert.deepEqual(createWith({ queueMax: 1, hitShare: 0 }), { queueMax: 1, hitShare: 0 });
  assert.deepEqual(createWith({ hitShare: 1 }), { queueMax: undefined, hitShare: 1 });
});

test('a value out of range is refused in one sentence', () => {
  const { createWith } = declared();
  const refused = (parameters: ParameterValues, message: string) =>
    assert.throws(() => createWith(parameters), { name: 'InputError', message });
  const whole = 'takes a whole number of at least 1 (requests)';
  refused({ queueMax: 0 }, `queueMax of policy short-queue ${whole}, not 0.`);
  refused({ queueMax: 1.5 }, `queueMax of policy short-queue ${whole}, not 1.5.`);
  refused({ queueMax: 2 ** 53 }, `queueMax of policy short-queue ${whole}, not 9007199254740992.`);
  const share = 'takes a number from 0 to 1 (shares)';
  refused({ hitShare: 1.01 }, `hitShare of policy short-queue ${share}, not 1.01.`);
  refused({ hitShare: -0.01 }, `hitShare of policy short-queue ${share}, not -0.01.`);
  refused({ hitShare: Number.NaN }, `hitShare of policy short-queue ${share}, not NaN.`);
});

test('the values that a parameter accepts are described with their bounds', () => {
  const [queueMax, hitShare] = declared().policy.parameters;
  assert.equal(queueMax && allowedText(queueMax), 'a whole number of at least 1');
  assert.equal(hitShare && allowedText(hitShare), 'a number from 0 to 1');
});

test('policies that require KV events get an index, and optional ones get it on request', () => {
  const given = new KvIndex();
  const indexOf = (kvEvents: Need | undefined, followsKvEvents?: boolean, kvIndex?: KvIndex) => {
    let got: KvIndex | undefined;
    definePolicy({
      ...{ name: 'reader', summary: 'any', parameters: {} },
      consumes: (kvEvents && { kvEvents }) ?? {},
      create: ({ kvIndex }) => {
        got = kvIndex;
        return inert;
      },
    }).create({ random, kvIndex, followsKvEvents });
    return got;
  };
  assert.equal(indexOf(undefined, true, given), undefined);
  assert.equal(indexOf('optional', undefined, given), given);
  assert.equal(indexOf('optional', true, given), given);
  assert.equal(indexOf('optional', false, given), undefined);
  assert.equal(indexOf('optional'), undefined);
  assert.equal(indexOf('required', false, given), given);
  assert.ok(indexOf('required') instanceof KvIndex);
});
