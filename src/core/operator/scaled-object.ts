// KEDA's ScaledObject of a VLLMRuntime. It scales the resource itself through its scale subresource, and the operator
// carries the number over to the Deployment, so the two never disagree.
import { promqlMatcher } from '../quoting/index.ts';
import { type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import type { RuntimeSpec } from './resources.ts';

export type Autoscaling = NonNullable<RuntimeSpec['autoscalingConfig']>;

/** Thresholds are per engine; the queries are upstream's, by the metrics of the engines and of the router. */
export function scaledObject(owner: Owner, spec: RuntimeSpec): KubernetesObject {
  const { apiVersion, kind, metadata } = owner;
  const config = spec.autoscalingConfig as Autoscaling;
  const { scaleDownPolicy: down } = config;
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: ownedMetadata(owner, `${metadata.name}-scaledobject`),
    spec: {
      scaleTargetRef: { apiVersion, kind, name: metadata.name },
      minReplicaCount: config.minReplicas,
      maxReplicaCount: config.maxReplicas,
      pollingInterval: config.pollingInterval,
      cooldownPeriod: down.scaleToZeroDelaySeconds,
      advanced: { horizontalPodAutoscalerConfig: { behavior: scalingBehavior(config) } },
      triggers: triggers(owner, spec, config),
    },
  };
}

/** How fast engines are added and removed, as a HorizontalPodAutoscaler has it. */
export function scalingBehavior({ scaleUpPolicy: up, scaleDownPolicy: down }: Autoscaling): object {
  return { scaleUp: behavior(up), scaleDown: behavior(down) };
}

function behavior(policy: Autoscaling['scaleUpPolicy']): object {
  const { stabilizationWindowSeconds, podValue, periodSeconds } = policy;
  return {
    stabilizationWindowSeconds,
    policies: [{ type: 'Pods', value: podValue, periodSeconds }],
  };
}

function triggers(owner: Owner, spec: RuntimeSpec, { triggers: limits }: Autoscaling): object[] {
  const { name, namespace } = owner.metadata;
  const prometheus = (metricName: string, query: string, threshold: number, type?: 'Value') => ({
    type: 'prometheus',
    ...(type === undefined ? {} : { metricType: type }),
    metadata: {
      serverAddress: limits.prometheusAddress,
      ...{ metricName, query },
      threshold: String(threshold),
    },
  });
  const model = servedModelName(spec);
  const job = promqlMatcher('job', name);
  const requests = `vllm:num_incoming_requests_total{${promqlMatcher('namespace', namespace)}, ${promqlMatcher('model', model)}}`;
  return [
    // One engine stays while requests arrive, and the first request starts one from zero.
    prometheus('vllm_incoming_keepalive', `sum(rate(${requests}[2m]) > bool 0)`, 1, 'Value'),
    prometheus(
      'vllm_requests_running',
      `sum(vllm:num_requests_running{${job}})`,
      limits.requestsRunningThreshold,
    ),
    prometheus(
      'vllm_generation_tokens_rate',
      `sum(rate(vllm:generation_tokens_total{${job}}[1m]))`,
      limits.generationTokensThreshold,
    ),
    prometheus(
      'vllm_prompt_tokens_rate',
      `sum(rate(vllm:prompt_tokens_total{${job}}[1m]))`,
      limits.promptTokensThreshold,
    ),
    ...serviceTriggers(name, namespace, limits).map(({ metric, query, target, type }) =>
      prometheus(metric, query, target, type),
    ),
  ];
}

interface ServiceTrigger {
  readonly metric: string;
  readonly query: string;
  readonly target: number;
  /** Value: one figure for all engines. By default a sum over engines, with a target for each. */
  readonly type?: 'Value';
}

/** What tells how clients fare, where it is asked for: the queue, the KV cache, and the time to first token. */
function serviceTriggers(
  name: string,
  namespace: string,
  limits: Autoscaling['triggers'],
): readonly ServiceTrigger[] {
  const { requestsWaitingThreshold, kvCacheUsageThreshold, ttftSeconds } = limits;
  const job = `{${promqlMatcher('job', name)}}`;
  // No requests, no quantile: NaN is not above 0.
  const p90 = (metric: string, labels: string) =>
    `histogram_quantile(0.9, sum by (le) (rate(${metric}_bucket${labels}[1m]))) > 0 or vector(0)`;
  const triggers: ServiceTrigger[] = [];
  if (requestsWaitingThreshold !== undefined) {
    const query = `sum(vllm:num_requests_waiting${job})`;
    triggers.push({ metric: 'vllm_requests_waiting', query, target: requestsWaitingThreshold });
  }
  if (kvCacheUsageThreshold !== undefined) {
    const query = `sum(vllm:kv_cache_usage_perc${job})`;
    triggers.push({ metric: 'vllm_kv_cache_usage', query, target: kvCacheUsageThreshold / 100 });
  }
  if (ttftSeconds !== undefined) {
    const measured = p90('vllm:time_to_first_token_seconds', job);
    const predicted = p90(
      'spillway_router_first_byte_prediction_seconds',
      `{${promqlMatcher('namespace', namespace)}, value="predicted"}`,
    );
    const level = { target: ttftSeconds, type: 'Value' } as const;
    triggers.push({ metric: 'vllm_ttft', query: measured, ...level });
    triggers.push({ metric: 'spillway_ttft_predicted', query: predicted, ...level });
  }
  return triggers;
}

/** The name under which clients ask for the model; both spellings of the flag, which upstream's operator does not read. */
export function servedModelName({ model, vllmConfig }: RuntimeSpec): string {
  const args = vllmConfig.extraArgs ?? [];
  for (const [at, arg] of args.entries()) {
    if (arg === '--served-model-name') return args[at + 1] ?? model.modelURL;
    if (arg.startsWith('--served-model-name=')) return arg.slice('--served-model-name='.length);
  }
  return model.modelURL;
}
