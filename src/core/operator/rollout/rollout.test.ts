// Rollouts of a runtime on a made cluster: its Deployment makes progress, or not, as a test says, and the operator may end
// after any of its writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EnginePod } from '../engine-pod.ts';
import type { KubernetesObject } from '../kubernetes-object.ts';
import { type Resource, reconcile } from '../reconcile.ts';
import type { ResourceEvent } from '../resource-events.ts';
import type { Condition } from '../status.ts';
import { appliedVersion } from './engine-version.ts';
import type { RolloutState } from './rollout.ts';

const replicas = 2;

/** A cluster with one runtime, whose API server keeps generations as a real one does. */
class MadeCluster {
  readonly objects = new Map<string, KubernetesObject>();
  readonly events: ResourceEvent[] = [];
  pods: readonly EnginePod[] = [];
  status: Readonly<Record<string, unknown>> | undefined;
  generation = 1;
  image = 'v1';
  rollout: object = {};
  chatTemplate: string | undefined;

  get resource(): Resource {
    const { generation, status } = this;
    return {
      apiVersion: 'production-stack.vllm.ai/v1alpha1',
      kind: 'VLLMRuntime',
      metadata: { name: 'm', namespace: 'default', uid: 'u', generation },
      spec: {
        model: { modelURL: 'm', ...(this.chatTemplate && { chatTemplate: this.chatTemplate }) },
        vllmConfig: {},
        deploymentConfig: {
          replicas,
          resources: {},
          image: { registry: '', name: `vllm/vllm-openai:${this.image}` },
          rollout: this.rollout,
        },
      },
      ...(status && { status }),
    };
  }

  change(image: string): void {
    this.image = image;
    this.generation++;
  }

  /** One look of the operator, which ends after so many writes. @returns Whether it had written all. */
  look(writes = Number.POSITIVE_INFINITY): boolean {
    const { resource } = this;
    const { apply, remove, status, events } = reconcile(resource, {
      objects: [...this.objects.values()],
      pods: this.pods,
      now: '2026-01-01T00:00:00Z',
    });
    const steps = [
      ...apply.map((object) => () => this.#apply(object)),
      ...remove.map(
        ({ kind, name }) =>
          () =>
            void this.objects.delete(`${kind}/${name}`),
      ),
      ...(status === undefined
        ? []
        : [
            () => {
              this.status = status;
              this.events.push(...events);
            },
          ]),
    ];
    for (const step of steps.slice(0, writes)) step();
    return writes >= steps.length;
  }

  settle(): void {
    for (let looks = 0; looks < 5; looks++) this.look();
  }

  #apply(object: KubernetesObject): void {
    const key = `${object.kind}/${object.metadata.name}`;
    const before = this.objects.get(key);
    const isSame = JSON.stringify(before?.['spec']) === JSON.stringify(object['spec']);
    const generation = (before?.metadata.generation ?? 0) + (isSame ? 0 : 1);
    const status = before?.['status'];
    const metadata = { ...object.metadata, generation };
    this.objects.set(key, { ...object, metadata, ...(status ? { status } : {}) });
  }

  get deployment(): KubernetesObject {
    return this.objects.get('Deployment/m') as KubernetesObject;
  }

  get version(): string {
    return appliedVersion(this.deployment) ?? '';
  }

  /** The Deployment says that all of its engines are ready, or that they were not in time. */
  ends(how: 'served' | 'late'): void {
    const observedGeneration = this.deployment.metadata.generation;
    const status =
      how === 'served'
        ? {
            ...{ replicas, availableReplicas: replicas, updatedReplicas: replicas },
            conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
          }
        : {
            ...{ replicas: 3, availableReplicas: 2, updatedReplicas: 1, unavailableReplicas: 1 },
            conditions: [
              {
                ...{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' },
                message: 'ReplicaSet "m-5d" has timed out progressing.',
              },
            ],
          };
    this.objects.set('Deployment/m', {
      ...this.deployment,
      status: { observedGeneration, ...status },
    });
  }

  /** All pods of the present version fail, or one of them serves. */
  crashes(isServing = false): void {
    const { version } = this;
    const pod = (name: string, failure: string | undefined): EnginePod => ({
      ...{ name, uid: name, labels: {}, version, url: '', isReady: failure === undefined },
      ...{ isScheduled: true, isDeleting: false, failure, pending: failure },
    });
    this.pods = [
      pod('m-1', 'container vllm crashes (exit status 1): no such flag'),
      ...(isServing ? [pod('m-2', undefined)] : []),
    ];
  }

  get runningImage(): string {
    return JSON.stringify(this.deployment).match(/vllm-openai:(\w+)/)?.[1] ?? '';
  }

  get progressing(): Condition | undefined {
    const { conditions = [] } = (this.status ?? {}) as { conditions?: readonly Condition[] };
    return conditions.find(({ type }) => type === 'Progressing');
  }

  get state(): RolloutState {
    return (this.status as { rollout: RolloutState }).rollout;
  }

  get revisions(): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith('ControllerRevision/'));
  }
}

function served(image = 'v1'): MadeCluster {
  const cluster = new MadeCluster();
  cluster.image = image;
  cluster.settle();
  cluster.ends('served');
  cluster.settle();
  return cluster;
}

test('a version of which all engines serve is kept to return to', () => {
  const cluster = served();
  assert.equal(cluster.state.servedVersion, cluster.version);
  assert.deepEqual(cluster.revisions, [`ControllerRevision/m-${cluster.version}`]);
  assert.equal(cluster.progressing?.reason, 'VersionServed');
});

test('a new version replaces the old one, which is forgotten when the new one has served', () => {
  const cluster = served();
  const old = cluster.version;
  cluster.change('v2');
  cluster.settle();
  assert.equal(cluster.runningImage, 'v2');
  assert.equal(cluster.state.servedVersion, old);
  assert.equal(cluster.progressing?.reason, 'RollingOut');
  cluster.ends('served');
  cluster.settle();
  assert.notEqual(cluster.version, old);
  assert.deepEqual(cluster.revisions, [`ControllerRevision/m-${cluster.version}`]);
  assert.deepEqual(
    cluster.events.map(({ reason }) => reason),
    ['RollingOut', 'VersionServed', 'RollingOut', 'VersionServed'],
  );
});

test('a version that does not serve in time is rolled back, and stays so', () => {
  const cluster = served();
  const good = cluster.version;
  cluster.change('broken');
  cluster.settle();
  cluster.ends('late');
  cluster.settle();
  assert.deepEqual([cluster.version, cluster.runningImage], [good, 'v1']);
  assert.equal(cluster.progressing?.reason, 'RollingBack');
  cluster.ends('served');
  cluster.settle();
  assert.deepEqual([cluster.version, cluster.progressing?.reason], [good, 'RolledBack']);
  assert.equal(cluster.progressing?.status, 'False');
  assert.match(
    cluster.progressing?.message ?? '',
    /did not serve \(.*timed out progressing\), so version \w+ serves again/,
  );
  const last = cluster.events.slice(-2).map(({ type, reason }) => `${type} ${reason}`);
  assert.deepEqual(last, ['Warning RollingBack', 'Warning RolledBack']);
});

test('a version whose pods crash is rolled back at once, and the status keeps the reason', () => {
  const cluster = served();
  const good = cluster.version;
  cluster.change('broken');
  cluster.settle();
  cluster.crashes(true);
  cluster.settle();
  assert.equal(cluster.runningImage, 'broken', 'one of its engines serves');
  cluster.crashes();
  cluster.settle();
  assert.deepEqual([cluster.version, cluster.runningImage], [good, 'v1']);
  // The pods are gone.
  cluster.pods = [];
  cluster.ends('served');
  cluster.settle();
  assert.equal(cluster.progressing?.reason, 'RolledBack');
  assert.match(
    cluster.progressing?.message ?? '',
    /did not serve \(pod m-1: container vllm crashes \(exit status 1\): no such flag\), so version/,
  );
  assert.match(cluster.state.failure ?? '', /no such flag/);
  cluster.change('v3');
  cluster.settle();
  assert.equal(cluster.state.failure, undefined);
});

test('a first version whose pods crash stays, and the status says why until they serve', () => {
  const cluster = new MadeCluster();
  cluster.settle();
  cluster.crashes();
  cluster.settle();
  assert.deepEqual([cluster.runningImage, cluster.progressing?.reason], ['v1', 'PodsFailing']);
  assert.match(
    cluster.progressing?.message ?? '',
    /no such flag\), and there is none to return to/,
  );
  cluster.pods = [];
  cluster.ends('served');
  cluster.settle();
  assert.equal(cluster.progressing?.reason, 'VersionServed');
});

test('a version that is late is rolled back with what its pods wait for', () => {
  const cluster = served();
  cluster.change('broken');
  cluster.settle();
  cluster.crashes(true);
  cluster.ends('late');
  cluster.settle();
  assert.match(cluster.state.failure ?? '', /timed out progressing; pod m-1: container vllm/);
});

test('after a rollback another spec is tried, and the old one serves as it did', () => {
  for (const [image, reason] of [
    ['v3', 'RollingOut'],
    ['v1', 'VersionServed'],
  ] as const) {
    const cluster = served();
    cluster.change('broken');
    cluster.settle();
    cluster.ends('late');
    cluster.settle();
    cluster.ends('served');
    cluster.settle();
    cluster.change(image);
    cluster.settle();
    assert.deepEqual([cluster.runningImage, cluster.progressing?.reason], [image, reason]);
    assert.equal(cluster.state.failedVersion, undefined);
  }
});

test('the chat template and the port return with the version', () => {
  const cluster = new MadeCluster();
  cluster.chatTemplate = 'old';
  cluster.settle();
  cluster.ends('served');
  cluster.settle();
  cluster.chatTemplate = 'new';
  cluster.change('v2');
  cluster.settle();
  const template = () => {
    const { data } = cluster.objects.get('ConfigMap/m-chat-template') as { readonly data?: object };
    return (data as { readonly chatTemplate?: string } | undefined)?.chatTemplate;
  };
  assert.equal(template(), 'new');
  cluster.ends('late');
  cluster.settle();
  assert.equal(template(), 'old');
});

test('a change of the chat template alone replaces the engines', () => {
  const cluster = served();
  const before = cluster.version;
  cluster.chatTemplate = 'other';
  cluster.settle();
  assert.notEqual(cluster.version, before);
});

test('a first version that does not serve stays, and the status says why', () => {
  const cluster = new MadeCluster();
  cluster.settle();
  cluster.ends('late');
  cluster.settle();
  assert.deepEqual([cluster.runningImage, cluster.progressing?.reason], ['v1', 'DeadlineExceeded']);
  assert.match(
    cluster.progressing?.message ?? '',
    /has timed out progressing\), and there is none/,
  );
});

test('rollBack: false leaves a version that does not serve', () => {
  const cluster = served();
  cluster.rollout = { rollBack: false };
  cluster.change('broken');
  cluster.settle();
  cluster.ends('late');
  cluster.settle();
  assert.deepEqual(
    [cluster.runningImage, cluster.progressing?.reason],
    ['broken', 'DeadlineExceeded'],
  );
});

test('how pods are replaced and how many there are is no new version', () => {
  const cluster = served();
  const before = cluster.version;
  cluster.rollout = { maxSurge: 1, minReadySeconds: 30, startupSeconds: 3600 };
  cluster.settle();
  assert.equal(cluster.version, before);
});

test('wherever the operator ends, the next one brings the rollout to the same end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ writes: fc.nat(7), crashes: fc.boolean() }), { maxLength: 40 }),
      fc.boolean(),
      (steps, isBroken) => {
        const cluster = served();
        const good = cluster.version;
        cluster.change('v2');
        for (const { writes, crashes } of steps) {
          cluster.look(writes);
          // Either version is there as a whole, and the one to return to can be had while it is needed.
          const { servedVersion } = cluster.state;
          assert.ok(cluster.revisions.includes(`ControllerRevision/m-${servedVersion}`));
          if (cluster.runningImage === 'v2' && isBroken && crashes) cluster.crashes();
          else if (cluster.runningImage === 'v2') cluster.ends(isBroken ? 'late' : 'served');
          else if (cluster.version === good) cluster.ends('served');
        }
        for (let round = 0; round < 4; round++) {
          cluster.settle();
          cluster.ends(isBroken && cluster.runningImage === 'v2' ? 'late' : 'served');
        }
        cluster.settle();
        assert.equal(cluster.runningImage, isBroken ? 'v1' : 'v2');
        assert.equal(cluster.progressing?.reason, isBroken ? 'RolledBack' : 'VersionServed');
      },
    ),
  );
});
