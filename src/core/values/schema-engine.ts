// The keys below servingEngineSpec: settings of all engines.
import { z } from 'zod';
import {
  count,
  former,
  ignored,
  kubernetesList,
  kubernetesObject,
  ours,
  portNumber,
  probe,
  pullPolicy,
  secret,
  section,
  serviceMonitor,
  stringMap,
  text,
  upstream,
} from './schema-keys.ts';
import { modelSpec } from './schema-model.ts';

const healthProbe = { httpGet: { path: '/health', port: 8000 } };

export const servingEngineSpec = section({
  enableEngine: upstream(z.boolean().default(true), 'Whether to run engines at all.'),
  labels: upstream(
    stringMap.default({ environment: 'test', release: 'test' }),
    'Labels of engine pods; the router finds the pods by them.',
  ),
  extraPorts: upstream(kubernetesList.default([]), 'More ports of the engine Services.'),
  vllmApiKey: upstream(
    secret.default({ secretName: '', secretKey: '' }),
    'API key of the engines, or the secret that contains it.',
  ),
  modelSpec: upstream(
    z.array(modelSpec).default([]),
    'The models and their engines. Upstream ships one disabled example, so the list is empty by default.',
  ),
  env: upstream(kubernetesList.default([]), 'Environment variables of every engine.'),
  configs: upstream(stringMap.default({}), 'Environment variables in a ConfigMap.'),
  containerPort: upstream(portNumber.default(8000), 'Port where an engine listens.'),
  servicePort: upstream(portNumber.default(80), 'Port of the engine Services.'),
  strategy: upstream(kubernetesObject.default({}), 'Deployment strategy.'),
  startupProbe: upstream(
    probe.default({
      initialDelaySeconds: 15,
      periodSeconds: 10,
      failureThreshold: 60,
      ...healthProbe,
    }),
    'Startup probe of the engines.',
  ),
  livenessProbe: upstream(
    probe.default({
      initialDelaySeconds: 15,
      periodSeconds: 10,
      failureThreshold: 3,
      ...healthProbe,
    }),
    'Liveness probe of the engines.',
  ),
  readinessProbe: upstream(
    probe.default({
      initialDelaySeconds: 15,
      periodSeconds: 5,
      failureThreshold: 3,
      ...healthProbe,
    }),
    'Readiness probe of the engines.',
  ),
  tolerations: upstream(kubernetesList.default([]), 'Tolerations of engine pods.'),
  runtimeClassName: upstream(text.default('nvidia'), 'Runtime class of engine pods; "" for none.'),
  schedulerName: upstream(text.default(''), 'Scheduler of engine pods.'),
  imagePullPolicy: upstream(pullPolicy.default('Always'), 'When to pull the engine image.'),
  securityContext: upstream(kubernetesObject.default({}), 'Security context of engine pods.'),
  containerSecurityContext: upstream(
    kubernetesObject.default({ runAsNonRoot: false }),
    'Security context of engine containers.',
  ),
  restricted: ours(
    z.boolean().default(false),
    "Chart: run vLLM as user 2000 without rights and with a read-only root file system, as Kubernetes' restricted Pod Security Standard asks. " +
      'Embedded engines always run so.',
  ),
  drainSeconds: ours(
    count.default(120),
    'Chart: how long the requests of an engine may take to finish when its pod is stopped; 0 for none.',
  ),
  topologySpreadConstraints: ours(
    kubernetesList.default([]),
    'Chart: how the pods of an entry are spread; without labelSelector, that of the entry.',
  ),
  maxUnavailablePodDisruptionBudget: upstream(
    z.union([count, z.string(), z.null()]).optional(),
    'Maximum number or percentage of engine pods that may be unavailable, of all entries without a pdb; "" for no PodDisruptionBudget. Charts 0.0.2 to 0.1.10 had it; later ones have pdb of each entry.',
  ),
  sidecar: upstream(
    section({
      image: upstream(
        text.default('lmcache/lmstack-sidecar:latest'),
        'Image that fetches LoRA adapters.',
      ),
      imagePullPolicy: upstream(pullPolicy.default('Always'), 'When to pull it.'),
    }),
    'Sidecar container of engines that serve LoRA adapters.',
  ),
  serviceMonitor: upstream(serviceMonitor, 'How Prometheus Operator scrapes the engines.'),
  raySpec: former(kubernetesObject.optional(), '0.1.3', 'Use raySpec of each model.'),
  nodeSelector: ignored(stringMap.optional(), 'Use nodeSelector of each model.'),
  nodeSelectorTerms: ignored(kubernetesList.optional(), 'Use nodeSelectorTerms of each model.'),
  affinity: ignored(kubernetesObject.optional(), 'Use affinity of each model.'),
  repository: ignored(text.optional(), 'Use repository of each model.'),
  tag: ignored(text.optional(), 'Use tag of each model.'),
  resources: ignored(kubernetesObject.optional(), 'Use resources of each model.'),
  replicaCount: ignored(count.optional(), 'Use replicaCount of each model.'),
});
