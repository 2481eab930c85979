// Which objects a resource owns, and which runtimes a router finds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Resource } from './reconcile.ts';
import { activeRuntimes, ownedBy } from './relations.ts';

function resourceOf(kind: string, spec: object, uid = 'u'): Resource {
  const metadata = { name: 'r', namespace: 'n', uid };
  return { apiVersion: 'v1', kind, metadata, spec } as unknown as Resource;
}

function objectOf(name: string, more: object, rest: object = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Any', metadata: { name, namespace: 'n', ...more }, ...rest };
}

test('a resource owns what has its uid among the owners', () => {
  const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'Any', name: 'r', uid });
  const objects = [
    objectOf('mine', { ownerReferences: [owner('other'), owner('u')] }),
    objectOf('of another', { ownerReferences: [owner('other')] }),
    objectOf('nobody’s', {}),
  ];
  const found = ownedBy(resourceOf('VLLMRouter', {}), objects);
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ['mine'],
  );
});

test('a router counts the runtimes of its namespace that match and have a ready engine', () => {
  const ready = { status: { availableReplicas: 1 } };
  const labels = { model: 'qwen' };
  const runtimes = [
    objectOf('ready', { labels }, ready),
    objectOf('starting', { labels }, { status: { availableReplicas: 0 } }),
    objectOf('new', { labels }),
    objectOf('elsewhere', { labels, namespace: 'm' }, ready),
    objectOf('of another model', { labels: { model: 'llama' } }, ready),
  ];
  const counted = (k8sLabelSelector?: string) =>
    activeRuntimes(resourceOf('VLLMRouter', { k8sLabelSelector }), runtimes);
  assert.equal(counted('model=qwen'), 1);
  assert.equal(counted('model in (qwen, llama)'), 2);
  assert.equal(counted('app=ready'), 1, 'a runtime has the label of its name');
  assert.equal(counted(), undefined);
  const runtime = resourceOf('VLLMRuntime', { k8sLabelSelector: 'model=qwen' });
  assert.equal(activeRuntimes(runtime, runtimes), undefined);
});
