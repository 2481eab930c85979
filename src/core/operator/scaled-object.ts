// KEDA's ScaledObject of a VLLMRuntime. It scales the resource itself through its scale subresource, and the operator
// carries the number over to the Deployment, so the two never disagree.
import { type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import type { RuntimeSpec } from './resources.ts';

type Autoscaling = NonNullable<RuntimeSpec['autoscalingConfig']>;

/** Thresholds are per engine; the queries are upstream's, by the metrics of the engines and of the router. */
export function scaledObject(owner: Owner, spec: RuntimeSpec): KubernetesObject {
  const { apiVersion, kind, metadata } = owner;
  const config = spec.autoscalingConfig as Autoscaling;
  const { scaleUpPolicy: up, scaleDownPolicy: down } = config;
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
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: { scaleUp: behavior(up), scaleDown: behavior(down) },
        },
      },
      triggers: triggers(owner, spec, config),
    },
  };
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
  const requests = `vllm:num_incoming_requests_total{namespace="${namespace}", model="${model}"}`;
  return [
    // One engine stays while requests arrive, and the first request starts one from zero.
    prometheus('vllm_incoming_keepalive', `sum(rate(${requests}[2m]) > bool 0)`, 1, 'Value'),
    prometheus(
      'vllm_requests_running',
      `sum(vllm:num_requests_running{job="${name}"})`,
      limits.requestsRunningThreshold,
    ),
    prometheus(
      'vllm_generation_tokens_rate',
      `sum(rate(vllm:generation_tokens_total{job="${name}"}[1m]))`,
      limits.generationTokensThreshold,
    ),
    prometheus(
      'vllm_prompt_tokens_rate',
      `sum(rate(vllm:prompt_tokens_total{job="${name}"}[1m]))`,
      limits.promptTokensThreshold,
    ),
  ];
}

/** The name under which clients ask for the model; both spellings of the flag, which upstream's operator does not read. */
function servedModelName({ model, vllmConfig }: RuntimeSpec): string {
  const args = vllmConfig.extraArgs ?? [];
  for (const [at, arg] of args.entries()) {
    if (arg === '--served-model-name') return args[at + 1] ?? model.modelURL;
    if (arg.startsWith('--served-model-name=')) return arg.slice('--served-model-name='.length);
  }
  return model.modelURL;
}
