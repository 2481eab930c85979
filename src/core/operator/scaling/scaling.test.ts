import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnginePod } from '../engine-pod.ts';
import type { KubernetesObject } from '../kubernetes-object.ts';
import { type Resource, reconcile } from '../reconcile.ts';
import {
  conflictOf,
  decisionCondition,
  routerSelectors,
  type ScalingSettings,
  scalingSettings,
} from './scaling.ts';

const builtIn = { ttftSeconds: 2, startupSeconds: 90 };

function runtime(autoscalingConfig?: object, replicas = 2): Resource {
  return {
    apiVersion: 'production-stack.vllm.ai/v1alpha1',
    kind: 'VLLMRuntime',
    metadata: { name: 'qwen', namespace: 'models', uid: 'u', labels: { tier: 'chat' } },
    spec: {
      model: { modelURL: 'Qwen/Qwen3-8B' },
      vllmConfig: { extraArgs: ['--served-model-name', 'qwen'] },
      deploymentConfig: { replicas, resources: {}, image: { registry: '', name: 'vllm:v1' } },
      ...(autoscalingConfig && { autoscalingConfig }),
    },
  };
}

const scaled = (more: object = {}) =>
  runtime({ enabled: true, scaler: 'built-in', maxReplicas: 6, builtIn, ...more });

test('the built-in scaler has the settings of its section, and looks more often while there is no engine', () => {
  assert.deepEqual(scalingSettings(scaled({ minReplicas: 0 })), {
    ...{ replicas: 2, model: 'qwen', lookSeconds: 15, routerLabelSelector: undefined },
    scaler: {
      ...{ ttftSeconds: 2, startupSeconds: 90, forecast: true, idleSeconds: 600 },
      bounds: { min: 0, max: 6 },
    },
  });
  const config = { enabled: true, scaler: 'built-in', maxReplicas: 6, builtIn };
  assert.equal(scalingSettings(runtime(config, 0))?.lookSeconds, 2);
});

test('it is off without the section, with another scaler, and while the resource is deleted', () => {
  assert.equal(scalingSettings(runtime()), undefined);
  assert.equal(scalingSettings(runtime({ enabled: true, maxReplicas: 6 })), undefined);
  assert.equal(scalingSettings(scaled({ enabled: false })), undefined);
  const { metadata, ...rest } = scaled();
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  assert.equal(
    scalingSettings({ ...rest, metadata: { ...metadata, deletionTimestamp } }),
    undefined,
  );
});

test('the built-in scaler makes neither a ScaledObject nor a HorizontalPodAutoscaler', () => {
  const { apply } = reconcile(scaled(), { objects: [], now: '2026-01-01T00:00:00Z' });
  assert.deepEqual(
    apply.map(({ kind }) => kind),
    ['Service', 'Deployment', 'PodDisruptionBudget'],
  );
});

test('routers are those whose selector finds the runtime, or those that are named', () => {
  const settings = scalingSettings(scaled()) as ScalingSettings;
  const router = (name: string, k8sLabelSelector?: string): KubernetesObject => ({
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRouter' },
    ...{ metadata: { name }, spec: { k8sLabelSelector } },
  });
  const routers = [router('a', 'tier=chat'), router('b', 'tier=batch'), router('c')];
  assert.deepEqual(routerSelectors(scaled(), settings, routers, []), ['app=a']);
  const pod = { labels: { tier: 'batch' } } as unknown as EnginePod;
  assert.deepEqual(routerSelectors(scaled(), settings, routers, [pod]), ['app=b']);
  const named = { ...settings, routerLabelSelector: 'release=mine' };
  assert.deepEqual(routerSelectors(scaled(), named, routers, []), ['release=mine']);
});

test('another scaler of the runtime or of its Deployment is a conflict, unless the operator made it', () => {
  const other = (kind: string, target: object, owner?: string): KubernetesObject => ({
    ...{ apiVersion: 'any', kind, spec: { scaleTargetRef: target } },
    metadata: {
      name: 'other',
      ...(owner && {
        ownerReferences: [
          {
            ...{ apiVersion: 'any', kind: 'VLLMRuntime', name: 'qwen', uid: owner },
            ...{ controller: true, blockOwnerDeletion: true },
          },
        ],
      }),
    },
  });
  const conflict = (...others: readonly KubernetesObject[]) => conflictOf(scaled(), others);
  const ours = { kind: 'VLLMRuntime', name: 'qwen' };
  assert.equal(conflict(other('HorizontalPodAutoscaler', ours)), 'HorizontalPodAutoscaler other');
  assert.equal(conflict(other('ScaledObject', { name: 'qwen' })), 'ScaledObject other');
  assert.equal(conflict(other('ScaledObject', ours, 'u')), undefined);
  assert.equal(conflict(other('ScaledObject', { ...ours, name: 'llama' })), undefined);
  assert.equal(
    conflict(other('HorizontalPodAutoscaler', { kind: 'StatefulSet', name: 'qwen' })),
    undefined,
  );
});

test('the status keeps what the scaler said until it is off', () => {
  const now = '2026-01-01T00:00:00Z';
  const scaling = decisionCondition(2, 4, '9.0 requests/s expected, of 0.40 s each');
  assert.equal(scaling.message, '2 → 4 engines: 9.0 requests/s expected, of 0.40 s each.');
  const said = (of: Resource, more: object = {}) => {
    const { status, events } = reconcile(of, { objects: [], now, ...more });
    const { conditions = [] } = (status ?? {}) as {
      readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
    };
    const reason = conditions.find(({ type }) => type === 'Scaling')?.reason;
    return { status, reason, events: events.map((event) => event.reason) };
  };
  const { status, reason, events } = said(scaled(), { scaling });
  assert.equal(reason, 'ScaledUp');
  assert.ok(!events.includes('ScaledUp'), 'the scaler has recorded it');
  assert.equal(said({ ...scaled(), status }).status, undefined, 'an operator that has just begun');
  const off = said({ ...scaled({ enabled: false }), status });
  assert.ok(off.status !== undefined && off.reason === undefined);
});
