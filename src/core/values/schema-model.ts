// One entry of servingEngineSpec.modelSpec: a model and the engines that serve it.
import { z } from 'zod';
import {
  count,
  ignored,
  imageDigest,
  kubernetesList,
  kubernetesObject,
  ours,
  pdb,
  positive,
  pullPolicy,
  quantity,
  secret,
  stringMap,
  text,
  upstream,
} from './schema-keys.ts';
import { kvTiers, lmcacheConfig, vllmConfig } from './schema-vllm.ts';

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

const kedaTrigger = z.looseObject({
  type: upstream(text, 'Kind of trigger, for example prometheus.'),
  metadata: upstream(kubernetesObject.optional(), 'Metric to query, and its threshold.'),
});

const keda = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Scale this model with KEDA.'),
  minReplicaCount: upstream(count.optional(), 'Minimum number of replicas; 0 scales to zero.'),
  maxReplicaCount: upstream(positive.optional(), 'Maximum number of replicas.'),
  idleReplicaCount: upstream(count.optional(), 'Replicas while no trigger is active.'),
  pollingInterval: upstream(
    positive.optional(),
    'Interval between two queries of the metrics, in seconds.',
  ),
  cooldownPeriod: upstream(count.optional(), 'Seconds to wait before scaling to zero.'),
  initialCooldownPeriod: upstream(
    count.optional(),
    'Seconds to wait before scaling to zero after creation.',
  ),
  fallback: upstream(
    z
      .strictObject({
        failureThreshold: upstream(
          positive.optional(),
          'Consecutive failures before the fallback.',
        ),
        replicas: upstream(count.optional(), 'Replicas in the fallback.'),
        behavior: upstream(text.optional(), 'How KEDA counts replicas in the fallback.'),
      })
      .optional(),
    'Replicas to run when the metrics cannot be read.',
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
          'Restore replicaCount when the ScaledObject is deleted.',
        ),
        horizontalPodAutoscalerConfig: upstream(
          kubernetesObject.optional(),
          'Name and behaviour of the HPA that KEDA creates.',
        ),
        scalingModifiers: upstream(kubernetesObject.optional(), 'How the triggers are combined.'),
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
        resources: upstream(
          kubernetesObject.optional(),
          'Raw resources; they take precedence over the keys above.',
        ),
        initContainer: upstream(container.optional(), 'Init container of the head node.'),
      })
      .optional(),
    'The Ray head node; replicaCount counts the workers.',
  ),
  workerGroupSpecs: ignored(
    kubernetesList.optional(),
    'The keys of the entry describe the workers: replicaCount, requestGPU, env.',
  ),
});

/** One model and the engines that serve it. */
export const modelSpec = z.strictObject({
  name: upstream(
    text.min(1),
    'Name of this entry; names of Kubernetes objects and engines contain it.',
  ),
  enabled: upstream(z.boolean().default(true), 'Whether to run this entry.'),
  kind: ours(
    z.enum(['embedded', 'vllm', 'url']).optional(),
    'What runs: the embedded engine, "vllm serve", or nothing, with the engines at urls. ' +
      'Unset: url if urls is set, else embedded under "spillway up" and vllm in the chart.',
  ),
  urls: ours(
    z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .optional(),
    'Base URLs of engines that are already running (kind: url).',
  ),
  modelURL: upstream(text.optional(), 'Hugging Face name or path of the model.'),
  standIn: ours(
    text.min(1).optional(),
    'Model whose size and speed an embedded engine has in place of its own: a catalogue name, a folder with config.json, or a size such as 8B or 30B-A3B. For a model that is not in the catalogue, or under a name of your choice.',
  ),
  modelRevision: upstream(text.optional(), 'Branch, tag or commit of the model.'),
  replicaCount: upstream(count.default(1), 'Number of engines.'),
  gpu: ours(
    z.union([text.min(1), kubernetesObject]).optional(),
    'GPU type of the engines: a catalogue name such as H100-80GB, a YAML file with its specification, or the specification itself.',
  ),
  profile: ours(
    text.min(1).optional(),
    'File with a measured profile of step times, used instead of the roofline (kind: embedded).',
  ),
  timeScale: ours(
    z.union([z.number().gt(0), z.literal('inf')]).optional(),
    'GPU seconds per wall-clock second (kind: embedded): 10 runs ten times as fast, inf as fast as possible.',
  ),
  tokenizer: ours(
    text.min(1).optional(),
    "Tokenizer of the embedded engine; the model's if unset.",
  ),
  faults: ours(
    z.array(z.string().min(1)).optional(),
    'Faults of the embedded engine, each with the syntax of "spillway engine --fault".',
  ),
  vllmConfig: upstream(vllmConfig.optional(), 'Settings of the engine.'),
  lmcacheConfig: upstream(lmcacheConfig.optional(), 'KV cache outside HBM with LMCache.'),
  kvTiers: ours(kvTiers.optional(), 'Speed and overhead of the tiers below HBM in a simulation.'),
  chatTemplate: upstream(text.optional(), 'File name of the chat template.'),
  chatTemplateConfigMap: upstream(text.optional(), 'Text of the chat template, for a ConfigMap.'),
  enableLoRA: upstream(z.boolean().optional(), 'Serve LoRA adapters (--enable-lora).'),
  enableTool: upstream(z.boolean().optional(), 'Tool calls (--enable-auto-tool-choice).'),
  toolCallParser: upstream(text.optional(), "vLLM's --tool-call-parser."),
  hf_token: upstream(secret.optional(), 'Hugging Face token, or the secret that contains it.'),
  repository: upstream(text.optional(), 'Image of the engine, without tag.'),
  tag: upstream(text.optional(), 'Tag of that image.'),
  digest: imageDigest(),
  startupSeconds: ours(
    positive.optional(),
    'Chart: time that the startup probe allows; at least that of servingEngineSpec.startupProbe, and 300 plus 20 s per billion parameters in the name of the model, if unset.',
  ),
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
    'Raw requests and limits; they take precedence over the request and limit keys.',
  ),
  shmSize: upstream(quantity.optional(), 'Size of /dev/shm.'),
  pvcStorage: upstream(
    z.union([quantity, kubernetesObject]).optional(),
    'Size of the volume for the model, or {emptyDir: …}.',
  ),
  pvcAccessMode: upstream(z.array(z.string()).optional(), 'Access modes of that volume.'),
  storageClass: upstream(text.optional(), 'Storage class of that volume.'),
  pvcMatchLabels: upstream(stringMap.optional(), 'Labels that select an existing volume.'),
  pvcLabels: upstream(stringMap.optional(), 'Labels of the volume claim.'),
  pvcAnnotations: upstream(stringMap.optional(), 'Annotations of the volume claim.'),
  pvcExistingClaimName: upstream(text.optional(), 'Existing claim to mount instead.'),
  extraVolumes: upstream(kubernetesList.optional(), 'More volumes of the pod.'),
  extraVolumeMounts: upstream(kubernetesList.optional(), 'More volume mounts of the engine.'),
  initContainer: upstream(container.optional(), 'Container that runs before the engine.'),
  env: upstream(kubernetesList.optional(), 'Environment variables of the engine.'),
  envFromSecret: upstream(
    z.strictObject({ name: upstream(text.optional(), 'Name of the secret.') }).optional(),
    'Secret whose entries become environment variables.',
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
  nodeSelector: ours(stringMap.optional(), 'Chart: labels of the nodes to run on.'),
  nodeName: upstream(text.optional(), 'Node to run on.'),
  tolerations: upstream(kubernetesList.optional(), 'Tolerations of the pods.'),
  tolerationsPolicy: upstream(
    z.enum(['append', 'override']).optional(),
    'Whether tolerations are added to servingEngineSpec.tolerations or replace them; append if unset.',
  ),
  pdb: upstream(pdb.optional(), 'PodDisruptionBudget of the engines.'),
  keda: upstream(keda.optional(), 'Autoscaling with KEDA.'),
  device: ignored(text.optional(), 'The image decides; vllmConfig.extraArgs has more arguments.'),
  extraArgs: ignored(z.array(z.string()).optional(), 'Use vllmConfig.extraArgs.'),
  imagePullPolicy: ignored(pullPolicy.optional(), 'Use servingEngineSpec.imagePullPolicy.'),
  mountPvcStorage: ignored(
    z.boolean().optional(),
    'The volume of pvcStorage is always mounted; initContainer.mountPvcStorage mounts it there.',
  ),
  registry: ignored(text.optional(), 'Put it in front of repository: REGISTRY/REPOSITORY.'),
  raySpec: upstream(raySpec.optional(), 'Engines that span hosts, with Ray.'),
});
