// The keys outside engines and router: cache server, LoRA, shared storage, dashboards, and
// Spillway's own.
import { z } from 'zod';
import { evictionNames } from '../eviction/index.ts';
import { policyNames } from '../routing/index.ts';
import { bareMetal } from './schema-bare-metal.ts';
import { chartKeys } from './schema-chart.ts';
import {
  count,
  former,
  ignored,
  imageDigest,
  kubernetesList,
  kubernetesObject,
  numberOrText,
  ours,
  pdb,
  podKeysOf,
  portNumber,
  positive,
  probe,
  pullPolicy,
  quantity,
  secret,
  secretReference,
  section,
  serviceType,
  stringMap,
  text,
  upstream,
} from './schema-keys.ts';
import { observability } from './schema-observability.ts';
import { thresholdsSchema } from './schema-thresholds.ts';

export const cacheserverSpec = section({
  enabled: upstream(z.boolean().default(false), 'Whether to run the cache server.'),
  image: upstream(
    section({
      repository: upstream(
        text.default('lmcache/vllm-openai'),
        'Image, without tag. The default stands for Spillway’s cache server with the image of spillway.image; any other, docker.io/lmcache/vllm-openai too, is run with LMCache’s lmcache_server.',
      ),
      tag: upstream(text.default('latest'), 'Tag of that image.'),
      digest: imageDigest(),
    }),
    'Image of the cache server.',
  ),
  memory: ours(
    z
      .string()
      .regex(/^(?:\d+(?:\.\d+)?%|\d+(?:[kMGT]i?B?)?)$/)
      .meta({ examples: ['8GiB', '75%'] })
      .default('75%'),
    'Memory of the values of Spillway’s cache server: a size such as 8GiB, or a share of the memory of the container, or of the node without a limit.',
  ),
  eviction: ours(
    z.enum(evictionNames).default('lru'),
    'Which values of Spillway’s cache server make room for others: the least recently used ones (lru), S3-FIFO (s3-fifo), or the ends of prompts first (prefix). Also in a simulation and under "spillway up".',
  ),
  extraArgs: ours(
    z.array(z.string()).default([]),
    'More arguments of "spillway cache", for example --s3 s3://bucket/prefix; with Spillway’s image.',
  ),
  enableServer: ignored(z.boolean().optional(), 'Use enabled.'),
  repository: ignored(text.optional(), 'Use image.repository.'),
  tag: ignored(text.optional(), 'Use image.tag.'),
  imagePullPolicy: upstream(pullPolicy.default('IfNotPresent'), 'When to pull the image.'),
  imagePullSecrets: upstream(kubernetesList.default([]), 'Secrets with registry credentials.'),
  replicaCount: upstream(count.default(1), 'Number of cache servers.'),
  copies: ours(
    positive.optional(),
    'Number of cache servers that keep each value, at most replicaCount; 2 if there are several and it is unset.',
  ),
  peersKey: ours(
    secret.default({ secretName: '', secretKey: '' }),
    'Key by which several cache servers know each other; with the chart, also the secret that contains it. If unset, the chart and "spillway up" make a random one.',
  ),
  capacityGB: ours(
    z.number().gt(0).optional(),
    'Capacity of the store in a simulation, unlimited if unset, like lm://; and of embedded engines’ store under "spillway up", see byteShare.',
  ),
  linkGbps: ours(
    z.number().gt(0).default(15),
    'Bandwidth of the store in a simulation, shared by all engines, and of each embedded engine to it, 10^9 bit/s each way; 15 is LMCache’s own measurement of a central store.',
  ),
  lookupMs: ours(
    z.number().min(0).default(0.1),
    'Latency of looking up one chunk in the store, in a simulation and for embedded engines; LMCache looks chunks up one by one.',
  ),
  byteShare: ours(
    z
      .number()
      .gt(0)
      .max(1)
      .default(1 / 64),
    'Share of its bytes that a chunk really has between embedded engines and the cache server of "spillway up", which has this share of capacityGB as memory (1 GiB if that is unset). Transfers take the time of all bytes.',
  ),
  objectStore: ours(
    section({
      enabled: ours(
        z.boolean().default(false),
        'Whether the contents of the cache server are also kept in S3 or Ceph RGW; without a cache server the engines use the object store directly.',
      ),
      capacityGB: ours(
        z.number().gt(0).optional(),
        'Capacity of the object store; unlimited if unset.',
      ),
      latencyMs: ours(
        z.number().min(0).default(100),
        'Time of a request until its first byte; 100 to 200 in S3, according to its performance guide.',
      ),
      requestMBps: ours(
        z.number().gt(0).default(85),
        'Bandwidth of one request, 10^6 byte/s; 85 to 90 in S3, according to the same guide.',
      ),
      connections: ours(
        positive.default(64),
        'Maximum number of concurrent requests of one client.',
      ),
      linkGbps: ours(
        z.number().gt(0).default(25),
        'Bandwidth of all requests combined, 10^9 bit/s each way.',
      ),
    }),
    'Object store below the cache server, in a simulation.',
  ),
  containerPort: upstream(portNumber.default(8000), 'Port where the cache server listens.'),
  serviceType: upstream(serviceType.default('ClusterIP'), 'Type of its Service.'),
  servicePort: upstream(portNumber.default(80), 'Port of its Service.'),
  serviceAnnotations: upstream(stringMap.default({}), 'Annotations of its Service.'),
  resources: upstream(kubernetesObject.default({}), 'Resource requests and limits.'),
  annotations: upstream(stringMap.default({}), 'Annotations of the Deployment.'),
  labels: upstream(stringMap.default({}), 'Labels of the Deployment and the Service.'),
  strategy: upstream(
    z
      .strictObject({
        type: upstream(z.enum(['RollingUpdate', 'Recreate']).optional(), 'Kind of update.'),
        rollingUpdate: upstream(
          z
            .strictObject({
              maxUnavailable: upstream(numberOrText.optional(), 'Maximum number of missing pods.'),
              maxSurge: upstream(numberOrText.optional(), 'Maximum number of extra pods.'),
            })
            .optional(),
          'Pace of a rolling update.',
        ),
      })
      .default({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }),
    'Deployment strategy.',
  ),
  livenessProbe: upstream(
    probe.default({
      initialDelaySeconds: 30,
      periodSeconds: 10,
      failureThreshold: 3,
      timeoutSeconds: 5,
    }),
    'Liveness probe of the cache server.',
  ),
  tolerations: upstream(kubernetesList.default([]), 'Tolerations of the pods.'),
  runtimeClassName: upstream(text.default(''), 'Runtime class of the pods.'),
  schedulerName: upstream(text.default(''), 'Scheduler of the pods.'),
  securityContext: upstream(kubernetesObject.default({}), 'Security context of the pods.'),
  containerSecurityContext: upstream(
    kubernetesObject.default({}),
    'Security context of the container.',
  ),
  priorityClassName: upstream(text.default(''), 'Priority class of the pods.'),
  nodeSelector: upstream(stringMap.default({}), 'Nodes to run on.'),
  affinity: upstream(kubernetesObject.default({}), 'Affinity of the pods.'),
  ...podKeysOf(
    'nodeSelectorTerms',
    'nodeName',
    'topologySpreadConstraints',
    'podAnnotations',
    'podLabels',
    'env',
    'envFromSecret',
    'extraVolumes',
    'extraVolumeMounts',
    'serviceAccountName',
  ),
  pdb: ours(pdb.prefault({}), 'Chart: PodDisruptionBudget of the cache servers.'),
  serde: upstream(text.default(''), 'How KV cache is serialised, for example naive.'),
});

const loraAdapter = z.strictObject({
  name: upstream(text.min(1), 'Name of the adapter object.'),
  enabled: upstream(z.boolean().default(true), 'Whether to create it.'),
  labels: upstream(stringMap.optional(), 'Labels of the object.'),
  baseModel: upstream(text, 'Name of the base model.'),
  vllmApiKey: upstream(
    secretReference.optional(),
    "Secret with the engines' API key; servingEngineSpec.vllmApiKey if unset.",
  ),
  adapterSource: upstream(
    z.strictObject({
      type: upstream(z.enum(['local', 's3', 'http', 'huggingface']), 'Where the adapter is.'),
      adapterName: upstream(text, 'Name under which it is served.'),
      adapterPath: upstream(text.optional(), 'Path of the weights.'),
      repository: upstream(text.optional(), 'Repository of the adapter.'),
      pattern: upstream(text.optional(), 'Pattern of adapter names.'),
      maxAdapters: upstream(positive.optional(), 'Maximum number of adapters to load.'),
      credentials: upstream(secret.optional(), 'Credentials, or the secret that contains them.'),
    }),
    'Where the adapter comes from.',
  ),
  loraAdapterDeploymentConfig: upstream(
    z
      .strictObject({
        algorithm: upstream(
          z.enum(['default', 'ordered', 'equalized']).optional(),
          'Which engines load it.',
        ),
        replicas: upstream(positive.optional(), 'How many engines load it.'),
        labels: upstream(stringMap.optional(), 'More labels.'),
      })
      .optional(),
    'On which engines the adapter is loaded.',
  ),
});

export const loraAdapters = z.array(loraAdapter).default([]);

export const loraController = section({
  enableLoraController: upstream(z.boolean().default(false), 'Whether to run the controller.'),
  kubernetesClusterDomain: upstream(text.default('cluster.local'), 'DNS domain of the cluster.'),
  serviceAccountName: upstream(text.default(''), 'Existing service account; "" creates one.'),
  replicaCount: upstream(count.default(1), 'Number of controllers.'),
  image: upstream(
    section({
      repository: upstream(text.default('lmcache/lmstack-lora-controller'), 'Image, without tag.'),
      tag: upstream(text.default('latest'), 'Tag of that image.'),
      digest: imageDigest(),
      pullPolicy: upstream(pullPolicy.default('IfNotPresent'), 'When to pull it.'),
    }),
    'Image of the controller.',
  ),
  imagePullSecrets: upstream(kubernetesList.default([]), 'Secrets with registry credentials.'),
  annotations: upstream(stringMap.default({}), 'Annotations of the Deployment.'),
  labels: upstream(stringMap.default({}), 'Labels of the Deployment.'),
  podAnnotations: upstream(stringMap.default({}), 'Annotations of the pods.'),
  podLabels: upstream(stringMap.default({}), 'Labels of the pods.'),
  podSecurityContext: upstream(
    kubernetesObject.default({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }),
    'Security context of the pods.',
  ),
  containerSecurityContext: upstream(
    kubernetesObject.default({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    }),
    'Security context of the container.',
  ),
  resources: upstream(kubernetesObject.default({}), 'Resource requests and limits.'),
  nodeSelector: upstream(stringMap.default({}), 'Nodes to run on.'),
  affinity: upstream(kubernetesObject.default({}), 'Affinity of the pods.'),
  tolerations: upstream(kubernetesList.default([]), 'Tolerations of the pods.'),
  ...podKeysOf(
    'nodeSelectorTerms',
    'nodeName',
    'topologySpreadConstraints',
    'priorityClassName',
    'runtimeClassName',
    'schedulerName',
    'envFromSecret',
    'extraVolumes',
    'extraVolumeMounts',
  ),
  env: upstream(kubernetesList.default([]), 'Environment variables.'),
  extraArgs: upstream(z.array(z.string()).default([]), 'More arguments.'),
  metrics: upstream(
    section({ enabled: upstream(z.boolean().default(true), 'Whether to expose metrics.') }),
    'Metrics of the controller.',
  ),
  webhook: upstream(
    section({ enabled: upstream(z.boolean().default(false), 'Whether to run the webhook.') }),
    'Webhook of the controller.',
  ),
  pdb: upstream(pdb.prefault({}), 'PodDisruptionBudget of the controller.'),
  enabled: former(z.boolean().optional(), '0.1.5', 'Use enableLoraController.'),
  extraEnv: former(kubernetesList.optional(), '0.1.5', 'Use env.'),
  securityContext: former(kubernetesObject.optional(), '0.1.5', 'Use containerSecurityContext.'),
  serviceAccount: former(kubernetesObject.optional(), '0.1.5', 'Use serviceAccountName.'),
});

export const sharedPvcStorage = section({
  enabled: upstream(z.boolean().default(false), 'Whether models share one volume.'),
  size: upstream(quantity.default('100Gi'), 'Size of the volume.'),
  accessModes: upstream(z.array(z.string()).default(['ReadWriteMany']), 'Access modes.'),
  storageClass: upstream(text.default(''), 'Storage class.'),
  hostPath: upstream(text.default(''), 'Path on the host, instead of dynamic provisioning.'),
  nfs: upstream(
    section({
      server: upstream(text.default(''), 'Address of the NFS server.'),
      path: upstream(text.default(''), 'Exported path.'),
    }),
    'NFS, instead of dynamic provisioning.',
  ),
  image: upstream(
    section({
      repository: upstream(text.default('busybox'), 'Image, without tag.'),
      tag: upstream(text.default('1.37'), 'Tag of that image.'),
      digest: imageDigest(),
    }),
    'Image that sets the permissions of the volume.',
  ),
});

/** The name of sharedPvcStorage in earlier charts. */
export const sharedStorage = former(
  kubernetesObject.optional(),
  '0.1.5',
  'Use sharedPvcStorage, which has the same keys.',
);

export const grafanaDashboards = section({
  enabled: upstream(z.boolean().default(false), 'Whether to create ConfigMaps with dashboards.'),
  annotations: upstream(stringMap.default({}), 'Annotations of the ConfigMaps.'),
  labels: upstream(stringMap.default({ grafana_dashboard: '1' }), 'Labels of the ConfigMaps.'),
});

/** Values of a subchart, which checks them. */
export const kubePrometheusStack = z
  .looseObject({ enabled: upstream(z.boolean().optional(), 'Whether to install it.') })
  .default({
    enabled: false,
    prometheus: {
      prometheusSpec: {
        serviceMonitorSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'vllm-stack' } },
      },
    },
  });

export const prometheusAdapter = z
  .looseObject({ enabled: upstream(z.boolean().optional(), 'Whether to install it.') })
  .default({
    enabled: false,
    prometheus: {
      url: 'http://{{ .Release.Name }}-kube-prometheus-stack-prometheus',
      port: 9090,
    },
  });

/**
 * Keys that the upstream chart does not have: how `spillway up` runs here, and the thresholds of
 * plans.
 */
export const spillway = section({
  dashboard: ours(z.boolean().default(true), "Serve the web page at the router's port."),
  enginePort: ours(
    z.int().min(0).max(65535).default(0),
    'Port of the first engine that "spillway up" starts; the next get the ports above it. ' +
      '0: any free ports.',
  ),
  engineProcesses: ours(
    z.enum(['each', 'shared']).default('each'),
    'Whether each embedded engine is a process of its own, or the engines of a modelSpec entry share one. ' +
      'A shared process needs little more memory for many engines than for one, but a crash ends them all.',
  ),
  standIn: ours(
    text.min(1).optional(),
    'Stand-in (see standIn of modelSpec) of each model that is not in the catalogue, under "spillway up" and in simulations.',
  ),
  vllmCommand: ours(
    z.array(z.string().min(1)).min(1).default(['vllm', 'serve']),
    'Program and first arguments that start vLLM for entries of kind vllm. If the last is not ' +
      '"serve", the model is passed as --model.',
  ),
  routingLogic: ours(
    z.enum(policyNames).optional(),
    "Policy of Spillway's router where the upstream chart's router has none of that name: it takes precedence over " +
      'routerSpec.routingLogic, which the chart reads, unless a later file or --set sets that key.',
  ),
  observability,
  bareMetal,
  ...chartKeys,
  thresholds: ours(
    thresholdsSchema.prefault({}),
    'Thresholds of the rules of "spillway plan", which --thresholds-from reads from here; thresholds ' +
      'that are unset have the defaults of the rules.',
  ),
});
