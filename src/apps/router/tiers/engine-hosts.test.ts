import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enginesOfInstances, HostAddresses } from './engine-hosts.ts';

const addresses = new HostAddresses();
const a = { url: 'http://10.0.0.1:8000', name: 'pod-a' };
const b = { url: 'http://10.0.0.2:8000', name: 'pod-b' };
const instance = (instanceId: string, ip: string) => ({ instanceId, ip });

test('an instance belongs to the engine of its name, URL, host and port, or else address', () => {
  const found = enginesOfInstances(
    [
      ...[instance('pod-b', '10.9.9.9'), instance(a.url, '10.9.9.9')],
      ...[instance('10.0.0.2:8000', '10.9.9.9'), instance('x', '10.0.0.1')],
      ...[instance('y', '::ffff:10.0.0.2'), instance('z', '10.0.0.3')],
    ],
    [a, b],
    addresses,
  );
  assert.deepEqual(Object.fromEntries(found), {
    ...{ 'pod-b': b.url, [a.url]: a.url, '10.0.0.2:8000': b.url, x: a.url, y: b.url },
  });
});

test('an address that two engines share says nothing', () => {
  const second = { url: 'http://10.0.0.1:8001', name: 'pod-c' };
  const instances = [instance('x', '10.0.0.1'), instance('pod-c', '10.0.0.1')];
  const found = enginesOfInstances(instances, [a, second, b], addresses);
  assert.deepEqual([...found], [['pod-c', second.url]]);
});

test('host names are looked up in the background, and again after a while', async () => {
  let nowMs = 0;
  const replies = ['10.0.0.7', undefined, '10.0.0.8'];
  const names = new HostAddresses({
    nowMs: () => nowMs,
    resolve: async () => replies.shift() ?? Promise.reject(new Error('not found')),
  });
  assert.equal(names.of('engine'), undefined);
  await new Promise(setImmediate);
  assert.equal(names.of('engine'), '10.0.0.7');
  nowMs = 30_000;
  names.of('engine');
  await new Promise(setImmediate);
  assert.equal(names.of('engine'), '10.0.0.7', 'a failed lookup leaves the last address');
  nowMs = 60_000;
  names.of('engine');
  await new Promise(setImmediate);
  assert.equal(names.of('engine'), '10.0.0.8');
  assert.equal(names.of('[::1]'), '::1');
});
