// What has changed in a kind of object, as an API server tells it.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { scriptedCluster } from '../../../test/support/scripted-cluster.ts';
import { until } from '../../../test/support/until.ts';
import { seededRandom } from '../../core/base/index.ts';
import { createLogger } from '../../io/log/index.ts';
import { FollowedKind, type FollowedKindOptions } from './followed-kind.ts';

/** Follows the Services of a scripted cluster, once `follow` is called. */
async function following(context: TestContext, more: Partial<FollowedKindOptions> = {}) {
  const cluster = await scriptedCluster(context);
  const clock = { nowSeconds: () => performance.now() / 1000 };
  const kind = new FollowedKind(
    { kind: 'Service', apiVersion: 'v1', labelSelector: '', ...more },
    { clock, random: seededRandom(1) },
  );
  const log = createLogger({ stream: new PassThrough(), level: 'info', format: 'text' });
  let changes = 0;
  const stopped = new AbortController();
  const follow = () => {
    const { access } = cluster.api;
    const onChange = () => {
      changes += 1;
    };
    const following = kind.follow({
      ...{ access, namespace: 'default', log, signal: stopped.signal, onChange },
    });
    context.after(async () => {
      stopped.abort();
      await following;
    });
  };
  const put = (name: string, spec: object) =>
    cluster.put('services', { kind: 'Service', metadata: { name }, spec });
  const changed = async () => {
    const had = changes;
    await until(() => changes > had);
  };
  const names = () => {
    const taken = kind.takeChanges();
    return [taken.changed, taken.gone].map((one) => one.map(({ metadata }) => metadata.name));
  };
  return { cluster, kind, follow, put, changed, names };
}

test('a look has what is new, other and gone since the last one', async (context) => {
  const { cluster, kind, follow, put, changed, names } = await following(context);
  put('a', { ports: 1 });
  put('b', { ports: 1 });
  assert.equal(kind.isSynced, false);
  follow();
  await until(() => kind.isSynced);
  assert.deepEqual(names(), [['a', 'b'], []]);
  assert.deepEqual(names(), [[], []]);
  const next = changed();
  put('b', { ports: 2 });
  await next;
  assert.deepEqual(names(), [['b'], []]);
  const last = changed();
  cluster.remove('services', 'a');
  await last;
  assert.deepEqual(names(), [[], ['a']]);
  assert.deepEqual(
    kind.within('default').map(({ metadata }) => metadata.name),
    ['b'],
  );
  assert.deepEqual(kind.within('other'), []);
});

test('objects say what they are, keep the part that is asked for, and differ as asked', async (context) => {
  const { kind, follow, put, changed, names } = await following(context, {
    keep: ({ apiVersion, kind: name, metadata, ...rest }) => ({
      ...{ apiVersion, kind: name, metadata },
      ports: (rest['spec'] as { readonly ports?: number }).ports,
    }),
    isSame: (before, now) => before['ports'] === now['ports'],
  });
  put('a', { ports: 1, other: 1 });
  follow();
  await until(() => kind.isSynced);
  const { metadata, ...rest } = kind.objects.get('default/a') ?? assert.fail();
  assert.equal(metadata.name, 'a');
  assert.deepEqual(rest, { apiVersion: 'v1', kind: 'Service', ports: 1 });
  assert.deepEqual(names(), [['a'], []]);
  const next = changed();
  put('a', { ports: 1, other: 2 });
  await next;
  assert.deepEqual(names(), [[], []]);
});

test('annotations are not kept, and an object too large to work with is left out', async (context) => {
  const { cluster, kind, follow, put, changed, names } = await following(context);
  cluster.put('services', {
    kind: 'Service',
    metadata: { name: 'a', annotations: { note: 'x'.repeat(200_000) } },
    spec: {},
  });
  put('b', { ports: 'x'.repeat(200_000) });
  put('c', {});
  follow();
  await until(() => kind.isSynced);
  assert.deepEqual(names(), [['a', 'c'], []]);
  assert.equal(kind.objects.get('default/a')?.metadata.annotations, undefined);
  const grown = changed();
  put('c', { ports: 'x'.repeat(200_000) });
  await grown;
  assert.deepEqual(names(), [[], ['c']]);
  const shrunk = changed();
  put('b', { ports: 1 });
  await shrunk;
  assert.deepEqual(names(), [['b'], []]);
});

test('a list of objects whose pages would be too large is read in smaller pages', async (context) => {
  const { kind, follow, put } = await following(context, {
    keep: ({ apiVersion, kind: name, metadata }) => ({ apiVersion, kind: name, metadata }),
  });
  for (let i = 0; i < 40; i++) put(`a${i}`, { ports: 'x'.repeat(1_000_000) });
  follow();
  await until(() => kind.isSynced);
  assert.equal(kind.objects.size, 40);
});
