// The operator over the API of a scripted cluster that has objects of others, and lists that are long, expire or never end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiCluster } from '../../src/apps/operator/api-cluster.ts';
import { ChangedMeanwhileError } from '../../src/apps/operator/cluster.ts';
import { scriptedApiServer } from '../support/scripted-api-server.ts';
import { scriptedCluster } from '../support/scripted-cluster.ts';
import { startedOperator } from '../support/started-operator.ts';
import { until } from '../support/until.ts';

const router = {
  kind: 'VLLMRouter',
  metadata: { name: 'postgres' },
  spec: {
    ...{ k8sLabelSelector: 'model=qwen', resources: {}, serviceAccountName: 'ci-admin' },
    image: { registry: 'docker.io', name: 'spillway:0.1.0' },
  },
};
const database = { metadata: { name: 'postgres' }, spec: { selector: { app: 'postgres' } } };

test('objects of others are neither changed nor removed, the rest is made, and the resource heals once they are gone', async (t) => {
  const cluster = await scriptedCluster(t);
  cluster.put('services', { kind: 'Service', ...database });
  cluster.put('serviceaccounts', { kind: 'ServiceAccount', metadata: { name: 'ci-admin' } });
  cluster.put('vllmrouters', router);
  const { access } = cluster.api;
  startedOperator(t, { access, namespace: 'default', lease: undefined });
  const conflict = () => {
    const { conditions = [] } = (cluster.get('vllmrouters', 'postgres')?.status ?? {}) as {
      readonly conditions?: readonly { readonly type: string; readonly message: string }[];
    };
    return conditions.find(({ type }) => type === 'Conflict')?.message;
  };
  await until(
    () => conflict() !== undefined && cluster.get('deployments', 'postgres') !== undefined,
  );
  assert.match(conflict() ?? '', /Service default\/postgres exists and was not made for this/);
  assert.match(conflict() ?? '', /ServiceAccount default\/ci-admin exists/);
  const ofOthers = /^\w+ (?:services\/postgres|serviceaccounts\/ci-admin)$/;
  assert.deepEqual(
    cluster.writes.filter((write) => ofOthers.test(write)),
    [],
  );
  // The event comes after the condition.
  await until(() => cluster.writes.some((write) => write.includes('events')));
  cluster.put('vllmrouters', { ...router, spec: { ...router.spec, serviceAccountName: 'own' } });
  await until(() => cluster.get('serviceaccounts', 'own') !== undefined);
  cluster.remove('services', 'postgres');
  await until(() => cluster.get('services', 'postgres') !== undefined);
  await until(() => conflict() === undefined);
  assert.deepEqual(
    cluster.writes.filter((write) => /serviceaccounts\/ci-admin$/.test(write)),
    [],
  );
});

test('an object that somebody makes or replaces just before a write is not written', async (t) => {
  const cluster = await scriptedCluster(t);
  const { apply, remove } = apiCluster(cluster.api.access);
  cluster.put('services', { kind: 'Service', ...database });
  const service = { apiVersion: 'v1', kind: 'Service' };
  const object = { ...service, metadata: { name: 'postgres', namespace: 'default' }, spec: {} };
  await assert.rejects(apply(object, undefined), ChangedMeanwhileError);
  await assert.rejects(apply(object, 'another'), ChangedMeanwhileError);
  const reference = { ...service, namespace: 'default', name: 'postgres' };
  await assert.rejects(remove(reference, 'another'), ChangedMeanwhileError);
  assert.deepEqual(cluster.get('services', 'postgres')?.spec, database.spec);
  await remove(reference, 'uid-postgres');
  assert.equal(cluster.get('services', 'postgres'), undefined);
});

const listed = { kind: 'ConfigMap', apiVersion: 'v1', namespace: 'default' };

async function longList(t: Parameters<typeof scriptedApiServer>[0]) {
  const api = await scriptedApiServer(t);
  for (let i = 0; i < 1_200; i++) {
    api.put('/api/v1/namespaces/default/configmaps', { metadata: { name: `c${i}` } });
  }
  return { api, list: () => apiCluster(api.access).list(listed) };
}

test('a list of 1200 objects is read to its end', async (t) => {
  const { api, list } = await longList(t);
  const names = new Set((await list()).map(({ metadata }) => metadata.name));
  assert.deepEqual([names.size, api.requests.length], [1_200, 3]);
});

test('a list whose continue has expired is read anew, three times at most', async (t) => {
  const { api, list } = await longList(t);
  let expired = 0;
  api.onContinue = (token) => (token === '500' && expired++ === 0 ? 'expired' : undefined);
  assert.equal((await list()).length, 1_200);
  api.requests.length = 0;
  api.onContinue = (token) => (token === undefined ? undefined : 'expired');
  await assert.rejects(list(), /^Error: status 410: The provided continue parameter is too old/);
  assert.equal(api.requests.length, 6);
});

test('a list that never ends is given up', async (t) => {
  const { api, list } = await longList(t);
  api.onContinue = () => 'same';
  await assert.rejects(list(), /sends the same page of a list again and again/);
  assert.equal(api.requests.length, 2);
});
