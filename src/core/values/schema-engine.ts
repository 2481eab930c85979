// The keys below servingEngineSpec: which engines run, and how.
import { z } from 'zod';
import {
  count,
  kubernetesList,
  kubernetesObject,
  numberOrText,
  ours,
  pdb,
  portNumber,
  positive,
  probe,
  pullPolicy,
  quantity,
  secret,
  section,
  serviceMonitor,
  stringMap,
  text,
  upstream,
} from './schema-keys.ts';

const container = z.strictObject({
  name: upstream(text, 'Name of the container.'),
  image: upstream(text, 'Image of the container.'),
  command: upstream(z.array(z.string()).optional(), 'Command to run.'),
  args: upstream(z.array(z.string()).optional(), 'Arguments of the command.'),
  env: upstream(kubernetesList.optional(), 'Environment variables.'),
  resources: upstream(kubernetesObject.optional(), 'Resource requests and limits.'),
  mountPvcStorage: upstream(
    z.boolean().optional(),
    "Whether to mount the model's volume at /data.",
  ),
  extraVolumeMounts: upstream(kubernetesList.optional(), 'More volume mounts.'),
});

const vllmConfig = z.strictObject({
  v0: upstream(numberOrText.optional(), '"1" runs the V0 engine of old vLLM releases.'),
  v1: upstream(numberOrText.optional(), '1 asks for the V1 engine, where Ray deploys it.'),
  enablePrefixCaching: upstream(
    z.boolean().optional(),
    'Prefix caching. The chart passes --no-enable-prefix-caching unless this is true.',
  ),
  enableChunkedPrefill: upstream(
    z.boolean().optional(),
    "Chunked prefill; vLLM's choice if unset.",
  ),
  maxModelLen: upstream(positive.optional(), 'Longest context in tokens (--max-model-len).'),
  dtype: upstream(text.optional(), 'Type of weights and activations (--dtype).'),
  tensorParallelSize: upstream(positive.optional(), 'GPUs that share each layer of one engine.'),
  pipelineParallelSize: upstream(
    positive.optional(),
    'Stages of layers in one engine; only with raySpec.',
  ),
  maxNumSeqs: upstream(positive.optional(), 'Most sequences in one step (--max-num-seqs).'),
  maxLoras: upstream(positive.optional(), 'Most LoRA adapters in one batch (--max-loras).'),
  gpuMemoryUtilization: upstream(
    z
      .union([z.number().gt(0).max(1), z.string().regex(/^(0?\.[0-9]*[1-9][0-9]*|1(\.0+)?)$/)])
      .optional(),
    'Share of GPU memory for the engine, above 0 and at most 1 (--gpu-memory-utilization).',
  ),
  runner: upstream(z.enum(['auto', 'generate', 'pooling']).optional(), "vLLM's --runner."),
  convert: upstream(
    z.enum(['token_embed', 'embed', 'token_classify', 'classify', 'score']).optional(),
    "vLLM's --convert, which turns a generation model into a pooling model.",
  ),
  prometheusMultiprocDir: upstream(text.optional(), 'PROMETHEUS_MULTIPROC_DIR of the engine.'),
  extraArgs: upstream(
    z.array(z.string()).optional(),
    'More arguments of vllm serve, one per item.',
  ),
  maxNumBatchedTokens: ours(
    positive.optional(),
    'Token budget of one step (--max-num-batched-tokens).',
  ),
  blockSize: ours(positive.optional(), 'Tokens in one KV block (--block-size).'),
  numGpuBlocksOverride: ours(
    positive.optional(),
    'KV blocks in HBM, in place of what would fit (--num-gpu-blocks-override).',
  ),
  schedulingPolicy: ours(
    z.enum(['fcfs', 'priority']).optional(),
    'Order of the waiting queue (--scheduling-policy).',
  ),
  kvEvents: ours(
    z.boolean().optional(),
    'Publish KV events over ZMQ (--kv-events-config), which kvaware and predictive routing use.',
  ),
  seed: ours(count.optional(), 'Seed of the engine (--seed).'),
});

const lmcacheConfig = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Run the engine with the LMCache connector.'),
  logLevel: upstream(
    z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR']).optional(),
    'LMCache log level.',
  ),
  cpuOffloadingBufferSize: upstream(quantity.optional(), 'Host DRAM for KV cache, in GB; 0: none.'),
  diskOffloadingBufferSize: upstream(quantity.optional(), 'Disk for KV cache, in GB.'),
  kvRole: upstream(
    z.enum(['kv_both', 'kv_producer', 'kv_consumer']).optional(),
    'Whether the engine stores KV cache, loads it, or both.',
  ),
  enablePD: upstream(z.boolean().optional(), 'Disaggregated prefill.'),
  cudaVisibleDevices: upstream(text.optional(), 'CUDA_VISIBLE_DEVICES of the engine.'),
  enableNixl: upstream(z.boolean().optional(), 'Transfer KV cache by NIXL.'),
  nixlRole: upstream(z.enum(['sender', 'receiver']).optional(), 'Side of the NIXL transfer.'),
  nixlPeerHost: upstream(text.optional(), 'Host of the NIXL receiver.'),
  nixlPeerPort: upstream(numberOrText.optional(), 'Port of the NIXL receiver.'),
  nixlBufferSize: upstream(numberOrText.optional(), 'Bytes of the NIXL buffer.'),
  nixlBufferDevice: upstream(text.optional(), 'Where the NIXL buffer lies: cuda or cpu.'),
  nixlEnableGc: upstream(z.boolean().optional(), 'Garbage collection of the NIXL buffer.'),
  enableController: upstream(z.boolean().optional(), 'Report to the LMCache controller.'),
  instanceId: upstream(text.optional(), 'LMCache instance id; the pod name if unset.'),
  controllerPort: upstream(numberOrText.optional(), 'Port where the controller pulls.'),
  controllerReplyPort: upstream(numberOrText.optional(), 'Port where the controller replies.'),
  workerPort: upstream(numberOrText.optional(), 'Port of the LMCache worker, under Ray.'),
  workerPorts: upstream(numberOrText.optional(), 'Ports of the LMCache workers.'),
  workerHeartbeatTime: upstream(numberOrText.optional(), 'Seconds between worker heartbeats.'),
  p2pHost: upstream(text.optional(), 'Host name for peer-to-peer KV transfer.'),
  p2pInitPorts: upstream(numberOrText.optional(), 'Ports for peer-to-peer KV transfer.'),
});

const kedaTrigger = z.looseObject({
  type: upstream(text, 'Kind of trigger, for example prometheus.'),
  metadata: upstream(kubernetesObject.optional(), 'Where to measure, and the threshold.'),
});

const keda = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Scale this model with KEDA.'),
  minReplicaCount: upstream(count.optional(), 'Fewest replicas; 0 scales to zero.'),
  maxReplicaCount: upstream(positive.optional(), 'Most replicas.'),
  idleReplicaCount: upstream(count.optional(), 'Replicas while no trigger is active.'),
  pollingInterval: upstream(positive.optional(), 'Seconds between two looks at the metrics.'),
  cooldownPeriod: upstream(count.optional(), 'Seconds to wait before scaling to zero.'),
  initialCooldownPeriod: upstream(count.optional(), 'The same after creation, in seconds.'),
  fallback: upstream(
    z
      .strictObject({
        failureThreshold: upstream(positive.optional(), 'Failures in a row before the fallback.'),
        replicas: upstream(count.optional(), 'Replicas in the fallback.'),
        behavior: upstream(text.optional(), 'How KEDA counts replicas in the fallback.'),
      })
      .optional(),
    'What to do when the metrics cannot be read.',
  ),
  triggers: upstream(
    z.union([z.array(kedaTrigger), kedaTrigger]).optional(),
    "KEDA triggers: a list, or one map as in the upstream chart's example.",
  ),
  advanced: upstream(
    z
      .strictObject({
        restoreToOriginalReplicaCount: upstream(
          z.boolean().optional(),
          'Restore replicaCount when the ScaledObject goes.',
        ),
        horizontalPodAutoscalerConfig: upstream(
          kubernetesObject.optional(),
          'Name and behaviour of the HPA that KEDA makes.',
        ),
        scalingModifiers: upstream(kubernetesObject.optional(), 'How triggers combine.'),
      })
      .optional(),
    'Advanced KEDA settings.',
  ),
});

const raySpec = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Deploy the model as a RayCluster.'),
  headNode: upstream(
    z
      .strictObject({
        requestCPU: upstream(quantity.optional(), 'CPUs of the head node.'),
        requestMemory: upstream(quantity.optional(), 'Memory of the head node.'),
        requestGPU: upstream(quantity.optional(), 'GPUs of the head node.'),
        requestGPUType: upstream(text.optional(), 'Resource name of its GPUs.'),
        limitCPU: upstream(quantity.optional(), 'CPU limit of the head node.'),
        limitMemory: upstream(quantity.optional(), 'Memory limit of the head node.'),
        resources: upstream(kubernetesObject.optional(), 'Raw resources; they win over the above.'),
        initContainer: upstream(container.optional(), 'Init container of the head node.'),
      })
      .optional(),
    'The Ray head node; replicaCount counts the workers.',
  ),
});

/** One model and the engines that serve it. */
export const modelSpec = z.strictObject({
  name: upstream(text.min(1), 'Name of this entry; Kubernetes objects and engines carry it.'),
  enabled: upstream(z.boolean().default(true), 'Whether to run this entry.'),
  kind: ours(
    z.enum(['embedded', 'vllm', 'url']).optional(),
    'What "spillway up" runs: the embedded engine, "vllm serve", or nothing because urls says ' +
      'where engines are. Unset: url if urls is set, else embedded.',
  ),
  urls: ours(
    z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .optional(),
    'Base URLs of engines that run already (kind: url).',
  ),
  modelURL: upstream(text.optional(), 'Hugging Face name or path of the model.'),
  modelRevision: upstream(text.optional(), 'Branch, tag or commit of the model.'),
  replicaCount: upstream(count.default(1), 'Number of engines.'),
  gpu: ours(
    text.min(1).optional(),
    'GPU type that the engines run on, by its name in the catalogue, for example H100-80GB.',
  ),
  profile: ours(
    text.min(1).optional(),
    'File with a measured profile of step times, in place of the roofline (kind: embedded).',
  ),
  timeScale: ours(
    z.number().gt(0).optional(),
    'Model seconds per real second (kind: embedded): 10 runs ten times as fast.',
  ),
  tokenizer: ours(
    text.min(1).optional(),
    "Tokenizer of the embedded engine; the model's if unset.",
  ),
  faults: ours(
    z.array(z.string().min(1)).optional(),
    'Faults of the embedded engine, each as for "spillway engine --fault".',
  ),
  vllmConfig: upstream(vllmConfig.optional(), 'Settings of the engine.'),
  lmcacheConfig: upstream(lmcacheConfig.optional(), 'KV cache outside HBM by LMCache.'),
  chatTemplate: upstream(text.optional(), 'File name of the chat template.'),
  chatTemplateConfigMap: upstream(text.optional(), 'Text of the chat template, for a ConfigMap.'),
  enableLoRA: upstream(z.boolean().optional(), 'Serve LoRA adapters (--enable-lora).'),
  enableTool: upstream(z.boolean().optional(), 'Tool calls (--enable-auto-tool-choice).'),
  toolCallParser: upstream(text.optional(), "vLLM's --tool-call-parser."),
  hf_token: upstream(secret.optional(), 'Hugging Face token, or the secret that holds it.'),
  repository: upstream(text.optional(), 'Image of the engine, without tag.'),
  tag: upstream(text.optional(), 'Tag of that image.'),
  imagePullSecret: upstream(text.optional(), 'Secret with registry credentials.'),
  requestCPU: upstream(quantity.optional(), 'CPUs per engine.'),
  requestMemory: upstream(quantity.optional(), 'Host memory per engine.'),
  requestGPU: upstream(quantity.optional(), 'GPUs per engine.'),
  requestGPUType: upstream(text.optional(), 'Resource name of the GPU; nvidia.com/gpu if unset.'),
  requestGPUMem: upstream(quantity.optional(), 'GPU memory in MB (HAMi).'),
  requestGPUMemPercentage: upstream(quantity.optional(), 'GPU memory in percent (HAMi).'),
  requestGPUCores: upstream(quantity.optional(), 'GPU cores in percent (HAMi).'),
  limitCPU: upstream(quantity.optional(), 'CPU limit.'),
  limitMemory: upstream(quantity.optional(), 'Host memory limit.'),
  limitGPUMem: upstream(quantity.optional(), 'GPU memory limit in MB (HAMi).'),
  limitGPUMemPercentage: upstream(quantity.optional(), 'GPU memory limit in percent (HAMi).'),
  limitGPUCores: upstream(quantity.optional(), 'GPU core limit in percent (HAMi).'),
  resources: upstream(
    kubernetesObject.optional(),
    'Raw requests and limits; they win over the request and limit keys.',
  ),
  shmSize: upstream(quantity.optional(), 'Size of /dev/shm.'),
  pvcStorage: upstream(
    z.union([quantity, kubernetesObject]).optional(),
    'Size of the volume for the model, or {emptyDir: …}.',
  ),
  pvcAccessMode: upstream(z.array(z.string()).optional(), 'Access modes of that volume.'),
  storageClass: upstream(text.optional(), 'Storage class of that volume.'),
  pvcMatchLabels: upstream(stringMap.optional(), 'Labels that pick an existing volume.'),
  pvcLabels: upstream(stringMap.optional(), 'Labels of the volume claim.'),
  pvcAnnotations: upstream(stringMap.optional(), 'Annotations of the volume claim.'),
  pvcExistingClaimName: upstream(text.optional(), 'Existing claim to mount instead.'),
  extraVolumes: upstream(kubernetesList.optional(), 'More volumes of the pod.'),
  extraVolumeMounts: upstream(kubernetesList.optional(), 'More volume mounts of the engine.'),
  initContainer: upstream(container.optional(), 'Container that runs before the engine.'),
  env: upstream(kubernetesList.optional(), 'Environment variables of the engine.'),
  envFromSecret: upstream(
    z.strictObject({ name: upstream(text.optional(), 'Name of the secret.') }).optional(),
    'Secret whose pairs become environment variables.',
  ),
  annotations: upstream(stringMap.optional(), 'Annotations of the Deployment.'),
  labels: upstream(stringMap.optional(), 'Labels of the Deployment.'),
  podAnnotations: upstream(stringMap.optional(), 'Annotations of the pods.'),
  podLabels: upstream(stringMap.optional(), 'Labels of the pods.'),
  serviceAnnotations: upstream(stringMap.optional(), 'Annotations of the Service.'),
  serviceAccountName: upstream(text.optional(), 'Service account of the pods.'),
  priorityClassName: upstream(text.optional(), 'Priority class of the pods.'),
  runtimeClassName: upstream(text.optional(), 'Runtime class of the pods.'),
  affinity: upstream(kubernetesObject.optional(), 'Affinity of the pods.'),
  nodeSelectorTerms: upstream(kubernetesList.optional(), 'Nodes to run on.'),
  nodeName: upstream(text.optional(), 'The one node to run on.'),
  tolerations: upstream(kubernetesList.optional(), 'Tolerations of the pods.'),
  tolerationsPolicy: upstream(
    z.enum(['append', 'override']).optional(),
    'Whether tolerations join servingEngineSpec.tolerations or replace them; append if unset.',
  ),
  pdb: upstream(pdb.optional(), 'PodDisruptionBudget of the engines.'),
  keda: upstream(keda.optional(), 'Autoscaling with KEDA.'),
  raySpec: upstream(raySpec.optional(), 'Engines that span hosts, by Ray.'),
});

const healthProbe = { httpGet: { path: '/health', port: 8000 } };

export const servingEngineSpec = section({
  enableEngine: upstream(z.boolean().default(true), 'Whether to run engines at all.'),
  labels: upstream(
    stringMap.default({ environment: 'test', release: 'test' }),
    'Labels of engine pods, by which the router finds them.',
  ),
  extraPorts: upstream(kubernetesList.default([]), 'More ports of the engine Services.'),
  vllmApiKey: upstream(
    secret.default({ secretName: '', secretKey: '' }),
    'API key of the engines, or the secret that holds it.',
  ),
  modelSpec: upstream(
    z.array(modelSpec).default([]),
    'The models and their engines. Upstream ships one disabled example here, which comes to none.',
  ),
  env: upstream(kubernetesList.default([]), 'Environment variables of every engine.'),
  configs: upstream(stringMap.default({}), 'Environment variables by a ConfigMap.'),
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
  sidecar: upstream(
    section({
      image: upstream(
        text.default('lmcache/lmstack-sidecar:latest'),
        'Image that fetches LoRA adapters.',
      ),
      imagePullPolicy: upstream(pullPolicy.default('Always'), 'When to pull it.'),
    }),
    'Container beside engines that serve LoRA adapters.',
  ),
  serviceMonitor: upstream(serviceMonitor, 'Scraping of engines by Prometheus Operator.'),
});
