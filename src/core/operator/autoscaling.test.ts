import assert from 'node:assert/strict';
import { test } from 'node:test';
import { horizontalAutoscaler } from './horizontal-autoscaler.ts';
import type { Owner } from './kubernetes-object.ts';
import { specs } from './resources.ts';
import { scaledObject } from './scaled-object.ts';

const owner: Owner = {
  apiVersion: 'production-stack.vllm.ai/v1alpha1',
  kind: 'VLLMRuntime',
  metadata: { name: 'qwen', namespace: 'models', uid: 'u' },
};

const specWith = (autoscalingConfig: object) =>
  specs.VLLMRuntime.parse({
    model: { modelURL: 'Qwen/Qwen3-8B' },
    vllmConfig: {},
    deploymentConfig: { resources: {}, image: { registry: '', name: 'vllm/vllm-openai:v1' } },
    autoscalingConfig: { enabled: true, maxReplicas: 4, ...autoscalingConfig },
  });

interface Trigger {
  readonly metricType?: string;
  readonly metadata: { readonly metricName: string; readonly query: string; threshold: string };
}

const triggersOf = (triggers: object): readonly Trigger[] =>
  (scaledObject(owner, specWith({ triggers }))['spec'] as { triggers: readonly Trigger[] })
    .triggers;

test('without thresholds of its own, KEDA gets the triggers of upstream’s operator', () => {
  assert.deepEqual(
    triggersOf({}).map(({ metadata }) => metadata.metricName),
    [
      ...['vllm_incoming_keepalive', 'vllm_requests_running'],
      ...['vllm_generation_tokens_rate', 'vllm_prompt_tokens_rate'],
    ],
  );
});

test('KEDA is asked for the queue, the KV cache and the TTFT by upstream’s names where they have a threshold', () => {
  const all = { requestsWaitingThreshold: 2, kvCacheUsageThreshold: 80, ttftSeconds: 5 };
  const own = triggersOf(all).slice(4);
  assert.deepEqual(
    own.map(({ metricType, metadata }) => [metadata.query, metadata.threshold, metricType]),
    [
      ['sum(vllm:num_requests_waiting{job="qwen"})', '2', undefined],
      ['sum(vllm:kv_cache_usage_perc{job="qwen"})', '0.8', undefined],
      [
        'histogram_quantile(0.9, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{job="qwen"}[1m]))) > 0 or vector(0)',
        '5',
        'Value',
      ],
      [
        'histogram_quantile(0.9, sum by (le) (rate(spillway_router_first_byte_prediction_seconds_bucket{namespace="models", value="predicted"}[1m]))) > 0 or vector(0)',
        '5',
        'Value',
      ],
    ],
  );
});

test('no trigger looks at how busy a GPU is', () => {
  const all = { requestsWaitingThreshold: 2, kvCacheUsageThreshold: 80, ttftSeconds: 5 };
  const { autoscalingConfig } = specWith({ scaler: 'hpa', triggers: all });
  assert.ok(autoscalingConfig);
  const text = JSON.stringify([triggersOf(all), horizontalAutoscaler(owner, autoscalingConfig)]);
  assert.doesNotMatch(text, /DCGM|gpu_util|nvidia/i);
});

test('a HorizontalPodAutoscaler scales the resource by external metrics with targets per engine', () => {
  const triggers = { kvCacheUsageThreshold: 85, ttftSeconds: 3 };
  const { autoscalingConfig } = specWith({ scaler: 'hpa', minReplicas: 2, triggers });
  assert.ok(autoscalingConfig);
  const spec = horizontalAutoscaler(owner, autoscalingConfig)['spec'] as Readonly<
    Record<string, unknown>
  >;
  assert.deepEqual(spec['scaleTargetRef'], {
    ...{ apiVersion: 'production-stack.vllm.ai/v1alpha1', kind: 'VLLMRuntime', name: 'qwen' },
  });
  assert.deepEqual([spec['minReplicas'], spec['maxReplicas']], [2, 4]);
  const metrics = spec['metrics'] as readonly {
    readonly external: { readonly metric: { readonly name: string }; readonly target: object };
  }[];
  assert.deepEqual(
    metrics.map(({ external }) => [external.metric.name, external.target]),
    [
      ['vllm_num_requests_waiting', { type: 'AverageValue', averageValue: '5' }],
      ['vllm_kv_cache_usage_perc', { type: 'AverageValue', averageValue: '850m' }],
      ['vllm_time_to_first_token_seconds_p90', { type: 'Value', value: '3' }],
    ],
  );
});
