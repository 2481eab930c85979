// A HorizontalPodAutoscaler of a VLLMRuntime, for clusters without KEDA. It scales the resource through its scale
// subresource, by external metrics, which an adapter reads from Prometheus under the names of upstream's adapter: vLLM's with
// an underscore for the colon.
import { type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import { type Autoscaling, scalingBehavior } from './scaled-object.ts';

/** Requests that wait per engine; the threshold of upstream's chart. */
const requestsWaitingDefault = 5;

export function horizontalAutoscaler(owner: Owner, config: Autoscaling): KubernetesObject {
  const { apiVersion, kind, metadata } = owner;
  const { requestsWaitingThreshold, kvCacheUsageThreshold, ttftSeconds } = config.triggers;
  const external = (name: string, target: object) => ({
    type: 'External',
    external: { metric: { name, selector: { matchLabels: { job: metadata.name } } }, target },
  });
  const perEngine = (averageValue: string) => ({ type: 'AverageValue', averageValue });
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: ownedMetadata(owner, metadata.name),
    spec: {
      scaleTargetRef: { apiVersion, kind, name: metadata.name },
      minReplicas: config.minReplicas,
      maxReplicas: config.maxReplicas,
      behavior: scalingBehavior(config),
      // The one that asks for the most engines decides.
      metrics: [
        external(
          'vllm_num_requests_waiting',
          perEngine(String(requestsWaitingThreshold ?? requestsWaitingDefault)),
        ),
        ...(kvCacheUsageThreshold === undefined
          ? []
          : [external('vllm_kv_cache_usage_perc', perEngine(`${kvCacheUsageThreshold * 10}m`))]),
        ...(ttftSeconds === undefined
          ? []
          : [
              external('vllm_time_to_first_token_seconds_p90', {
                type: 'Value',
                value: String(ttftSeconds),
              }),
            ]),
      ],
    },
  };
}
