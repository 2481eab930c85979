// The headers in which clients say how long they wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '../../../io/http/index.ts';
import { clientPatience } from './client-patience.ts';

const none = Number.POSITIVE_INFINITY;

function patienceOf(lines: Readonly<Record<string, string>>, isStream = true) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(lines)) {
    headers.names.push(name);
    headers.values.push(value);
  }
  const { totalSeconds, firstByteSeconds } = clientPatience(headers, isStream);
  return [totalSeconds, firstByteSeconds];
}

test('a deadline of the whole request: Envoy’s header in milliseconds, and gRPC’s with a unit', () => {
  assert.deepEqual(patienceOf({ 'x-envoy-upstream-rq-timeout-ms': '2500' }), [2.5, none]);
  assert.deepEqual(patienceOf({ 'x-envoy-upstream-rq-timeout-ms': '0' }), [none, none]);
  for (const [value, seconds] of [
    ['2H', 7200],
    ['3M', 180],
    ['10S', 10],
    ['250m', 0.25],
  ] as const) {
    assert.deepEqual(patienceOf({ 'grpc-timeout': value }), [seconds, none]);
  }
  const both = { 'grpc-timeout': '10S', 'x-envoy-upstream-rq-timeout-ms': '2000' };
  assert.deepEqual(patienceOf(both), [2, none]);
});

test('the timeout of OpenAI’s clients and a second bound the first byte of a stream, or another response', () => {
  assert.deepEqual(patienceOf({ 'x-stainless-timeout': '600' }), [none, 601]);
  assert.deepEqual(patienceOf({ 'x-stainless-read-timeout': '90.5' }), [none, 91.5]);
  assert.deepEqual(patienceOf({ 'x-stainless-timeout': '600' }, false), [601, 601]);
});

test('anything else means no deadline', () => {
  for (const value of ['', 'abc', '-5', '1e9', 'NaN', '999999999', '10 S', '１０']) {
    const all = {
      ...{ 'x-envoy-upstream-rq-timeout-ms': value, 'grpc-timeout': value },
      ...{ 'x-stainless-timeout': value, 'x-request-id': '5', 'accept-language': 'en' },
    };
    assert.deepEqual(patienceOf(all), [none, none], value);
  }
  assert.deepEqual(patienceOf({}), [none, none]);
});
