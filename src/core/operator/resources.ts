// The operator's four kinds: what a user writes, with the defaults of upstream's operator. The CRDs are made from
// these schemas, so that the API server checks what the operator reads.
//
// Names, defaults and required fields: production-stack's operator/api/v1alpha1.
import { z } from 'zod';
import { evictionNames } from '../eviction/index.ts';
import { policyNames } from '../routing/index.ts';

export const group = 'production-stack.vllm.ai';
export const apiVersion = `${group}/v1alpha1`;

/** A field that only later versions of the operator understand, or that Kubernetes itself checks. */
const kubernetesObject = z.record(z.string(), z.unknown());
const int32 = z.int().max(2_147_483_647);
const count = int32.min(0);
const positive = int32.min(1);
const port = int32.min(1).max(65_535);
const texts = z.array(z.string());

function described<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}

/** Rules in the Common Expression Language that the API server checks. */
function rules<T extends z.ZodType>(schema: T, ...checks: readonly Rule[]): T {
  return schema.meta({ ...schema.meta(), 'x-kubernetes-validations': checks });
}

export interface Rule {
  readonly rule: string;
  readonly message: string;
}

const image = z.object({
  registry: described(z.string(), 'Registry of the image, such as docker.io.'),
  name: described(
    z.string().min(1),
    'Name of the image with its tag or digest, such as vllm/vllm-openai:v0.11.0.',
  ),
  pullPolicy: described(
    z.enum(['', 'Always', 'IfNotPresent', 'Never']).optional(),
    'When the image is pulled (default: IfNotPresent).',
  ),
  pullSecretName: described(z.string().optional(), 'Secret of the registry.'),
});
export type ImageSpec = z.infer<typeof image>;

const resources = z.object({
  cpu: described(z.string().optional(), 'CPUs, as a request and a limit.'),
  memory: described(z.string().optional(), 'Memory, as a request and a limit.'),
  gpu: described(z.string().optional(), 'Number of GPUs.'),
  gpuType: described(z.string().optional(), 'Resource name of the GPUs (default: nvidia.com/gpu).'),
});
export type ResourceSpec = z.infer<typeof resources>;

const env = described(
  z.array(z.object({ name: z.string().min(1), value: z.string() })),
  'Environment variables.',
);

const nodeSelectorTerms = described(
  z.array(kubernetesObject),
  'Nodes where pods may run, as in nodeAffinity.',
);

const model = z.object({
  modelURL: described(z.string().min(1), 'Model: a Hugging Face id or a path.'),
  hfTokenSecret: described(
    z
      .object({
        hfTokenSecretName: z.string().optional(),
        hfTokenKeyName: z.string().default('token'),
      })
      .optional(),
    'Secret with the token for Hugging Face.',
  ),
  enableLoRA: described(z.boolean().optional(), 'Whether LoRA adapters can be loaded.'),
  enableTool: described(z.boolean().optional(), 'Whether the model may call tools.'),
  toolCallParser: described(z.string().optional(), 'Parser of tool calls.'),
  maxModelLen: described(count.optional(), 'Maximum context length in tokens.'),
  dtype: described(z.string().optional(), 'Data type of weights and activations.'),
  maxNumSeqs: described(count.optional(), 'Maximum number of sequences in a batch.'),
  chatTemplate: described(z.string().optional(), 'Chat template, as text.'),
});

const vllmConfig = z.object({
  enableChunkedPrefill: described(z.boolean().optional(), 'Whether prefills are split.'),
  enablePrefixCaching: described(z.boolean().optional(), 'Whether prefixes are cached.'),
  tensorParallelSize: described(count.optional(), 'GPUs over which each layer is split.'),
  gpuMemoryUtilization: described(z.string().optional(), 'Share of GPU memory, such as "0.9".'),
  maxLoras: described(count.optional(), 'Maximum number of adapters in a batch.'),
  extraArgs: described(texts.optional(), 'More flags of vllm serve.'),
  v1: described(z.boolean().optional(), 'Whether the engine is V1, as all vLLM since 0.11.'),
  port: described(port.default(8000), 'Port of the engine.'),
  env: env.optional(),
});

const lmCacheConfig = z.object({
  enabled: described(z.boolean().default(false), 'Whether LMCache offloads the KV cache.'),
  cpuOffloadingBufferSize: described(z.string().default('4Gi'), 'Host memory for it, in GB.'),
  diskOffloadingBufferSize: described(z.string().default('8Gi'), 'Disk for it, in GB.'),
  remoteUrl: described(z.string().optional(), 'Cache server, such as lm://cache:80.'),
  remoteSerde: described(z.string().optional(), 'How values are written there, such as naive.'),
});

const storageConfig = z.object({
  enabled: described(z.boolean().default(false), 'Whether the engines have a volume.'),
  storageClassName: described(z.string().optional(), 'Its storage class.'),
  size: described(z.string().default('10Gi'), 'Its size.'),
  accessMode: described(
    z.enum(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany']).default('ReadWriteMany'),
    'Who may mount it.',
  ),
  mountPath: described(z.string().default('/data'), 'Where it is mounted.'),
  volumeName: described(z.string().default('pvc-storage'), 'Name of the volume in the pod.'),
});

const sidecarConfig = z.object({
  enabled: described(z.boolean().default(false), 'Whether pods have a sidecar.'),
  name: described(z.string().default('sidecar'), 'Its name.'),
  image: described(image, 'Its image.'),
  command: described(texts.optional(), 'Its command.'),
  args: described(texts.optional(), 'Its arguments.'),
  env: env.optional(),
  resources: described(resources.optional(), 'Its resources.'),
  mountPath: described(z.string().default('/data'), 'Where the volume of the engines is mounted.'),
});

/** A number of pods, or a share of them such as 25%. */
const podsOrShare = (standard: string) =>
  z
    .unknown()
    .refine(
      (value) => /^(\d+|\d{1,2}%|100%)$/.test(String(value)),
      'a number, or a share such as 25%',
    )
    .default(standard)
    .meta({
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      pattern: '^([0-9]+|[0-9]{1,2}%|100%)$',
      'x-kubernetes-int-or-string': true,
    });

const rollout = rules(
  z.object({
    maxSurge: described(podsOrShare('25%'), 'Engines above replicas while pods are replaced.'),
    maxUnavailable: described(
      podsOrShare('25%'),
      'Engines that may be missing while pods are replaced or nodes are drained.',
    ),
    startupSeconds: described(
      positive.default(3600),
      'Time from the start of an engine to its first completion.',
    ),
    drainSeconds: described(
      count.default(600),
      'Time that an engine which is stopped gives its streams.',
    ),
    minReadySeconds: described(
      count.default(5),
      'Time for which a new engine must be ready before an old one is stopped.',
    ),
    rollBack: described(
      z.boolean().default(true),
      'Whether the last version that served runs again if a new one crashes, or serves no completion in time.',
    ),
  }),
  {
    rule: "!has(self.maxSurge) || !has(self.maxUnavailable) || !(string(self.maxSurge) in ['0', '0%']) || !(string(self.maxUnavailable) in ['0', '0%'])",
    message: 'maxSurge and maxUnavailable must not both be 0',
  },
);

const deploymentConfig = z.object({
  replicas: described(count.default(1), 'Number of engines; scaled by the scale subresource.'),
  nodeSelectorTerms: nodeSelectorTerms.optional(),
  toleration: described(z.array(kubernetesObject).optional(), 'Tolerations of the pods.'),
  deploymentStrategy: described(
    z.enum(['RollingUpdate', 'Recreate']).default('RollingUpdate'),
    'How pods are replaced.',
  ),
  rollout: described(rollout.prefault({}), 'How a new version replaces the old one.'),
  runtimeClass: described(z.string().default('nvidia'), 'Runtime class of the pods.'),
  shmSize: described(z.string().optional(), 'Size of /dev/shm, such as 24Gi.'),
  resources: described(resources, 'Resources of an engine.'),
  image: described(image, 'Image of the engine.'),
  podAnnotations: described(z.record(z.string(), z.string()).optional(), 'Annotations of pods.'),
  sidecarConfig: described(sidecarConfig.optional(), 'A second container in each pod.'),
});

const scalePolicy = {
  podValue: described(positive.default(1), 'Pods added or removed in a period.'),
  periodSeconds: described(positive.default(60), 'Length of a period.'),
};

const builtInScaler = rules(
  z.object({
    ttftSeconds: described(
      z.number().min(0.001),
      'Service level: time to first token that all but 1 % of the requests should stay below.',
    ),
    startupSeconds: described(
      positive.default(120),
      'Time from the decision for an engine until it serves.',
    ),
    downSeconds: described(
      positive.optional(),
      'Hysteresis: engines are removed when fewer have been enough for this time (default: two start-ups, at least 120).',
    ),
    forecast: described(
      z.boolean().default(true),
      'Whether a rising arrival rate is expected to rise on until an engine has started.',
    ),
    idleSeconds: described(
      positive.default(600),
      'With minReplicas 0: time without a request after which the last engine is stopped.',
    ),
    routerLabelSelector: described(
      z.string().min(1).optional(),
      'Labels of the routers’ pods (default: those of the VLLMRouters that find this runtime).',
    ),
  }),
  // The API server compares whole numbers with a minimum that it has cut to one.
  { rule: 'self.ttftSeconds >= 0.001', message: 'ttftSeconds must be at least 0.001' },
);

const autoscalingConfig = rules(
  z.object({
    enabled: described(z.boolean().optional(), 'Whether engines are added and removed.'),
    scaler: described(
      z.enum(['keda', 'hpa', 'built-in']).default('keda'),
      'What decides: KEDA, with queries to Prometheus; a HorizontalPodAutoscaler, with external metrics; or the operator itself, as builtIn says.',
    ),
    builtIn: described(
      builtInScaler.optional(),
      'What the built-in scaler keeps to. It reads the metrics of engines and routers itself.',
    ),
    minReplicas: described(count.default(1), 'Fewest engines; 0 to scale to zero.'),
    maxReplicas: described(positive, 'Most engines.'),
    pollingInterval: described(positive.default(15), 'Seconds between two looks at metrics.'),
    scaleUpPolicy: described(
      z.object({ stabilizationWindowSeconds: count.default(0), ...scalePolicy }).prefault({}),
      'How fast engines are added.',
    ),
    scaleDownPolicy: described(
      z
        .object({
          stabilizationWindowSeconds: count.default(300),
          ...scalePolicy,
          scaleToZeroDelaySeconds: count.default(1800),
        })
        .prefault({}),
      'How fast engines are removed.',
    ),
    triggers: described(
      z
        .object({
          prometheusAddress: z
            .string()
            .default('http://kube-prom-stack-kube-prome-prometheus.monitoring.svc:9090'),
          requestsRunningThreshold: positive.default(5),
          generationTokensThreshold: positive.default(100),
          promptTokensThreshold: positive.default(100),
          requestsWaitingThreshold: positive.optional(),
          kvCacheUsageThreshold: positive.max(100).optional(),
          ttftSeconds: positive.optional(),
        })
        .prefault({}),
      'Load per engine above which engines are added: requests, tokens per second, KV cache in percent; or the time to first token.',
    ),
  }),
  {
    rule: "!has(self.scaler) || self.scaler != 'hpa' || !has(self.minReplicas) || self.minReplicas > 0",
    message:
      'a HorizontalPodAutoscaler cannot scale to 0: set minReplicas to 1 or more, or scaler to keda',
  },
  {
    rule: "!has(self.builtIn) || (has(self.scaler) && self.scaler == 'built-in')",
    message:
      'builtIn needs scaler: built-in, since KEDA or a HorizontalPodAutoscaler would scale the same engines',
  },
  {
    rule: "!has(self.scaler) || self.scaler != 'built-in' || has(self.builtIn)",
    message: 'scaler: built-in needs builtIn.ttftSeconds, the service level',
  },
  {
    rule: '!has(self.minReplicas) || self.minReplicas <= self.maxReplicas',
    message: 'minReplicas must be at most maxReplicas',
  },
);

const runtimeSpec = z.object({
  engineKind: described(
    z.enum(['vllm', 'embedded']).default('vllm'),
    'What an engine runs: vLLM, or Spillway’s emulated engine, which needs no GPU.',
  ),
  model: described(model, 'The model.'),
  vllmConfig: described(vllmConfig, 'Settings of vLLM.'),
  lmCacheConfig: described(lmCacheConfig.optional(), 'KV cache beyond the GPU.'),
  storageConfig: described(storageConfig.optional(), 'A volume for models.'),
  deploymentConfig: described(deploymentConfig, 'How engines are deployed.'),
  autoscalingConfig: described(autoscalingConfig.optional(), 'When engines are added and removed.'),
});

/** The policies of upstream's router, then those of ours. */
const policies = [...new Set(['roundrobin', 'session', 'prefixaware', 'kvaware', ...policyNames])];

const routerSpec = rules(
  z.object({
    enableRouter: described(z.boolean().default(true), 'Whether the router runs.'),
    replicas: described(count.default(1), 'Number of routers.'),
    serviceDiscovery: described(z.enum(['k8s', 'static']).default('k8s'), 'How engines are found.'),
    k8sLabelSelector: described(z.string().optional(), 'Labels of the engines’ pods.'),
    staticBackends: described(z.string().optional(), 'URLs of engines, comma-separated.'),
    staticModels: described(z.string().optional(), 'Models of these engines, comma-separated.'),
    routingLogic: described(
      z.enum(policies).default('roundrobin'),
      'Policy that picks an engine. Upstream’s router knows the first four.',
    ),
    sessionKey: described(z.string().default(''), 'Header or body key that names a session.'),
    lmcacheControllerPort: described(
      count.max(65_535).optional(),
      'Port where LMCache’s controller hears what engines have.',
    ),
    lmcacheControllerReplyPort: described(
      count.max(65_535).optional(),
      'Port where engines register with it (default: the next one).',
    ),
    lmcacheControllerHeartbeatPort: described(
      count.max(65_535).optional(),
      'Port of their heartbeats (default: the one after that).',
    ),
    lmcacheCoordinatorPort: described(
      count.max(65_535).optional(),
      'Port of the coordinator of LMCache’s servers. Spillway’s router only.',
    ),
    engineHashSeed: described(
      count.max(4_294_967_295).optional(),
      'PYTHONHASHSEED of the engines (default: 123). Spillway’s router only.',
    ),
    engineScrapeInterval: described(count.optional(), 'Seconds between two scrapes of an engine.'),
    requestStatsWindow: described(count.optional(), 'Window of request rates in seconds.'),
    extraArgs: described(texts.optional(), 'More flags of the router.'),
    nodeSelectorTerms: nodeSelectorTerms.optional(),
    serviceAccountName: described(
      z.string().optional(),
      'Service account of the router; made by the operator (default: the router’s name).',
    ),
    port: described(port.default(80), 'Port where the router listens.'),
    routerKind: described(
      z.enum(['spillway', 'upstream']).optional(),
      'Whose router the image has (default: upstream for the names of its images, else spillway).',
    ),
    image: described(image, 'Image of the router.'),
    resources: described(resources, 'Resources of a router.'),
    env: env.optional(),
    vllmApiKeySecret: described(
      z.object({ name: z.string().default('') }).optional(),
      'Secret with the key of the engines.',
    ),
    vllmApiKeyName: described(z.string().optional(), 'Its key within that secret.'),
  }),
  {
    rule: "self.serviceDiscovery != 'k8s' || (has(self.k8sLabelSelector) && self.k8sLabelSelector != '')",
    message: 'k8sLabelSelector is required with serviceDiscovery k8s',
  },
  {
    rule: "self.serviceDiscovery != 'static' || (has(self.staticBackends) && has(self.staticModels))",
    message: 'staticBackends and staticModels are required with serviceDiscovery static',
  },
  {
    rule: "self.routingLogic != 'session' || self.sessionKey != ''",
    message: 'sessionKey is required with routingLogic session',
  },
);

const cacheServerSpec = z.object({
  image: described(image, 'Image of the cache server.'),
  port: described(port.default(8000), 'Port where it listens.'),
  resources: described(resources, 'Its resources.'),
  replicas: described(count.default(1), 'Number of cache servers.'),
  eviction: described(
    z.enum(evictionNames).default('lru'),
    'Which values make room for others, with Spillway’s image.',
  ),
  deploymentStrategy: described(
    z.enum(['RollingUpdate', 'Recreate']).default('RollingUpdate'),
    'How pods are replaced.',
  ),
});

const loraAdapterSpec = rules(
  z.object({
    adapterSource: described(
      z.object({
        type: described(z.enum(['local', 's3', 'http', 'huggingface']), 'Where the adapter is.'),
        adapterName: described(z.string().min(1), 'Name under which it is served.'),
        adapterPath: described(z.string().optional(), 'Its path in the pods; required for local.'),
        repository: described(z.string().optional(), 'Hugging Face id, s3:// or http(s):// URL.'),
        credentialsSecretRef: described(
          z.object({ name: z.string().min(1), key: z.string().min(1) }).optional(),
          'Secret for the source.',
        ),
        pattern: described(z.string().optional(), 'Pattern of adapter names.'),
        maxAdapters: described(count.optional(), 'Maximum number of adapters.'),
      }),
      'Where the adapter comes from.',
    ),
    baseModel: described(z.string().min(1), 'Value of the label "model" of the engines’ pods.'),
    loraAdapterDeploymentConfig: described(
      z
        .object({
          algorithm: z.enum(['default', 'ordered', 'equalized']).default('default'),
          replicas: count.optional(),
        })
        .optional(),
      'On which engines it is loaded.',
    ),
    vllmApiKey: described(
      z.object({ secretName: z.string().min(1), secretKey: z.string().min(1) }).optional(),
      'Secret with the key of the engines.',
    ),
  }),
  {
    rule: "self.adapterSource.type != 'local' || has(self.adapterSource.adapterPath)",
    message: 'adapterSource.adapterPath is required with type local',
  },
  {
    rule: "self.adapterSource.type == 'local' || has(self.adapterSource.repository) || has(self.adapterSource.adapterPath)",
    message: 'adapterSource.repository is required unless the type is local',
  },
);

export const specs = {
  VLLMRuntime: runtimeSpec,
  VLLMRouter: routerSpec,
  CacheServer: cacheServerSpec,
  LoraAdapter: loraAdapterSpec,
} as const;

export type Kind = keyof typeof specs;
export type RuntimeSpec = z.infer<typeof runtimeSpec>;
export type RouterSpec = z.infer<typeof routerSpec>;
export type CacheServerSpec = z.infer<typeof cacheServerSpec>;
export type LoraAdapterSpec = z.infer<typeof loraAdapterSpec>;
