// Objects of somebody else that have a name which a resource needs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { type KubernetesObject, type Metadata, ownedMetadata } from './kubernetes-object.ts';
import { type Reconciled, type Resource, reconcile } from './reconcile.ts';

const now = '2026-01-01T00:00:00Z';
const samples = parseAllDocuments(
  readFileSync(new URL('fixtures/upstream-samples.yaml', import.meta.url), 'utf8'),
).map((document) => document.toJS() as KubernetesObject);

function resource(kind: string, change: object = {}): Resource {
  const sample = samples.find((one) => one.kind === kind) as KubernetesObject;
  const metadata = { ...sample.metadata, name: 'x', namespace: 'ns', uid: 'u-x', generation: 1 };
  return { ...sample, metadata, spec: { ...(sample['spec'] as object), ...change } } as Resource;
}

function stranger(kind: string, name: string, more: Partial<Metadata> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'ns', uid: 'u', ...more } };
}

function conditionOf(
  { status }: Reconciled,
  type: string,
): Readonly<Record<string, string>> | undefined {
  const conditions = status?.['conditions'] as readonly Readonly<Record<string, string>>[];
  return conditions.find((one) => one['type'] === type);
}

const namesOf = ({ apply }: Reconciled) =>
  apply.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
const router = resource('VLLMRouter', { serviceAccountName: '' });
const runtime = resource('VLLMRuntime', { storageConfig: { enabled: true } });

for (const whole of [router, runtime, resource('CacheServer')]) {
  const wanted = reconcile(whole, { objects: [], now }).apply;
  for (const { kind, metadata } of wanted) {
    test(`a ${kind} of somebody else is neither applied nor removed for a ${whole.kind}, and the condition names it`, () => {
      const objects = [stranger(kind, metadata.name)];
      const decided = reconcile(whole, { objects, now });
      assert.ok(!namesOf(decided).includes(`${kind} ${metadata.name}`));
      assert.deepEqual(decided.remove, []);
      const { status, reason, message = '' } = conditionOf(decided, 'Conflict') ?? {};
      assert.deepEqual([status, reason], ['True', 'ObjectExists']);
      assert.match(
        message,
        new RegExp(`^${kind} ns/${metadata.name} exists and was not made for `),
      );
      assert.match(message, /Delete or rename it, or give this resource another name\.$/);
      assert.equal(conditionOf(decided, 'Ready')?.['reason'], 'Conflict');
      assert.deepEqual(
        decided.events
          .map(({ type, reason }) => `${type} ${reason}`)
          .filter((one) => one.endsWith('ObjectExists')),
        ['Warning ObjectExists'],
      );
    });
  }
}

test('the rest of the resource goes on, and all of it once the object is gone', () => {
  const whole = namesOf(reconcile(router, { objects: [], now }));
  const first = reconcile(router, { objects: [stranger('Service', 'x')], now });
  assert.deepEqual(
    namesOf(first),
    whole.filter((one) => one !== 'Service x'),
  );
  const seen = { ...router, status: first.status };
  const healed = reconcile(seen, { objects: [], now });
  assert.deepEqual(namesOf(healed), whole);
  assert.equal(conditionOf(healed, 'Conflict'), undefined);
});

for (const [kind, name, waits] of [
  ['ServiceAccount', 'x', ['RoleBinding x-pod-viewer-binding', 'Deployment x']],
  ['Role', 'x-pod-viewer-role', ['RoleBinding x-pod-viewer-binding']],
] as const) {
  test(`what would use a ${kind} of somebody else unasked waits`, () => {
    const names = namesOf(reconcile(router, { objects: [stranger(kind, name)], now }));
    for (const one of waits) assert.ok(!names.includes(one), one);
    assert.ok(names.includes('Service x'));
  });
}

test('engines do not mount a volume of somebody else', () => {
  const names = namesOf(
    reconcile(runtime, { objects: [stranger('PersistentVolumeClaim', 'x')], now }),
  );
  assert.ok(!names.includes('Deployment x'), String(names));
});

test('a service account that the resource names is used as it is, and the router is there', () => {
  const named = resource('VLLMRouter', { serviceAccountName: 'ci-admin' });
  const decided = reconcile(named, { objects: [stranger('ServiceAccount', 'ci-admin')], now });
  assert.ok(!namesOf(decided).includes('ServiceAccount ci-admin'));
  assert.ok(namesOf(decided).includes('Deployment x'));
  const { status, reason, message = '' } = conditionOf(decided, 'Conflict') ?? {};
  assert.deepEqual([status, reason], ['True', 'ForeignAccount']);
  assert.match(message, /ServiceAccount ns\/ci-admin exists .* it is never changed or removed\.$/);
  assert.equal(conditionOf(decided, 'Ready')?.['reason'], 'Starting');
});

test('an object of another resource of the same name stays the other’s', () => {
  const other = resource('VLLMRuntime');
  const metadata = ownedMetadata(
    { ...other, metadata: { ...other.metadata, uid: 'u-other' } },
    'x',
  );
  const service: KubernetesObject = { apiVersion: 'v1', kind: 'Service', metadata };
  const decided = reconcile(router, { objects: [service], now });
  assert.ok(!namesOf(decided).includes('Service x'));
  assert.match(
    conditionOf(decided, 'Conflict')?.['message'] ?? '',
    /exists and belongs to VLLMRuntime x \(uid u-other\)/,
  );
});

test('an owner that is not the controller does not make it ours', () => {
  const [own] = ownedMetadata(router, 'x').ownerReferences ?? [];
  assert.ok(own);
  const ownerReferences = [{ ...own, controller: false }];
  const old = stranger('ServiceAccount', 'old', { ownerReferences });
  const decided = reconcile(router, {
    objects: [old, stranger('Service', 'x', { ownerReferences })],
    now,
  });
  assert.deepEqual(decided.remove, []);
  assert.ok(!namesOf(decided).includes('Service x'));
});
