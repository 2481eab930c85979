// Who may have an adapter, of the resources that ask for one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdapterPod } from './adapter-pod.ts';
import { claimsOf } from './claims.ts';
import type { AdapterResource } from './contract.ts';

const source = (adapterName: string) => ({ type: 'local', adapterName, adapterPath: '/lora/a' });

function adapter(name: string, created: string, spec: object = {}, more: object = {}) {
  return {
    ...{ apiVersion: 'v1', kind: 'LoraAdapter' },
    metadata: { name, namespace: 'default', uid: name, creationTimestamp: created, ...more },
    spec: { baseModel: 'qwen', adapterSource: source('sql'), ...spec },
  } as unknown as AdapterResource;
}

function pod(name: string, more: Partial<AdapterPod> = {}): AdapterPod {
  return {
    ...{ name, namespace: 'default', uid: name, model: 'qwen', isReady: true },
    ...{ url: `http://${name}:8000`, restarts: 0, sidecar: undefined, ...more },
  };
}

function claims(adapters: readonly AdapterResource[], pods: readonly AdapterPod[] = []) {
  const { active, taken, invalid } = claimsOf({ adapters, pods });
  const namesOf = (all: readonly { readonly adapter: AdapterResource }[]) =>
    all.map((one) => one.adapter.metadata.name);
  return { active, taken, names: [namesOf(active), namesOf(taken), namesOf(invalid)] };
}

test('the oldest has a name, of two equally old ones the first by name, however they are listed', () => {
  const old = adapter('b', '2026-01-01T00:00:00Z');
  const same = adapter('c', '2026-01-01T00:00:00Z');
  const late = adapter('a', '2026-01-02T00:00:00Z');
  for (const adapters of [
    [late, same, old],
    [old, late, same],
  ]) {
    const { names, taken } = claims(adapters);
    assert.deepEqual(names, [['b'], ['c', 'a'], []]);
    assert.match(taken[0]?.message ?? '', /^LoraAdapter b already gives engines of qwen .* sql\.$/);
  }
});

test('the same name for another model, or another name, is free', () => {
  const { names } = claims([
    adapter('a', '1'),
    adapter('b', '2', { baseModel: 'llama' }),
    adapter('c', '3', { adapterSource: source('code') }),
  ]);
  assert.deepEqual(names, [['a', 'b', 'c'], [], []]);
});

test('an invalid resource, and one that is being deleted, hold no name', () => {
  const { names } = claims([
    adapter('broken', '1', { baseModel: 7 }),
    adapter('going', '2', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    adapter('next', '3'),
  ]);
  assert.deepEqual(names, [['next'], [], ['broken']]);
});

test('ready pods of its model can take an adapter, each from its place', () => {
  const { active } = claims(
    [adapter('a', '1')],
    [pod('p'), pod('starting', { isReady: false }), pod('other', { model: 'llama' })],
  );
  assert.deepEqual(
    active[0]?.candidates.map(({ name }) => name),
    ['p'],
  );
  const location = active[0]?.locations.get('p');
  assert.equal(typeof location === 'object' && location.path, '/lora/a');
  assert.equal(active[0]?.locations.size, 1);
});
