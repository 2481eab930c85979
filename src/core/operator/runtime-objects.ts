// The objects of a VLLMRuntime: Service, volume, chat template, Deployment, and KEDA's ScaledObject or a HorizontalPodAutoscaler, named as upstream's
// operator names them.
import { chatTemplateFile, chatTemplateFolder, engineCommand } from './engine-command.ts';
import { horizontalAutoscaler } from './horizontal-autoscaler.ts';
import { compact, type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import {
  containerSecurity,
  healthProbe,
  imageOf,
  nodeAffinityOf,
  podLabels,
  podSecurity,
  pullPolicyOf,
  pullSecretsOf,
  resourcesOf,
  serviceSpec,
} from './pod-parts.ts';
import type { RuntimeSpec } from './resources.ts';
import { chatTemplateName } from './rollout/engine-version.ts';
import { scaledObject } from './scaled-object.ts';
import { pythonOf, servingProbe } from './serving-probe.ts';

/** Port where the sidecar of upstream downloads adapters. */
const sidecarPort = '30090';
/** @param selector That of a Deployment that exists: Kubernetes does not let it change. */
export function runtimeObjects(
  owner: Owner,
  spec: RuntimeSpec,
  selector: Readonly<Record<string, string>> = podLabels(owner),
): readonly KubernetesObject[] {
  const { name } = owner.metadata;
  const { storageConfig: storage, model, vllmConfig } = spec;
  const objects: KubernetesObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: ownedMetadata(owner, name),
      spec: serviceSpec(owner, vllmConfig.port, selector),
    },
  ];
  if (storage?.enabled) {
    objects.push({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: ownedMetadata(owner, name, podLabels(owner)),
      spec: compact({
        accessModes: [storage.accessMode],
        resources: { requests: { storage: storage.size } },
        storageClassName: storage.storageClassName || undefined,
      }),
    });
  }
  if (model.chatTemplate) {
    objects.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: ownedMetadata(owner, chatTemplateName(name)),
      data: { chatTemplate: model.chatTemplate },
    });
  }
  objects.push(deployment(owner, spec, selector), disruptionBudget(owner, spec, selector));
  const { autoscalingConfig: scaling } = spec;
  if (scaling?.enabled && scaling.scaler !== 'built-in') {
    objects.push(
      scaling.scaler === 'hpa' ? horizontalAutoscaler(owner, scaling) : scaledObject(owner, spec),
    );
  }
  return objects;
}

function deployment(
  owner: Owner,
  spec: RuntimeSpec,
  selector: Readonly<Record<string, string>>,
): KubernetesObject {
  const config = spec.deploymentConfig;
  const { startupSeconds, minReadySeconds, drainSeconds } = config.rollout;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: ownedMetadata(owner, owner.metadata.name),
    spec: {
      replicas: config.replicas,
      strategy: strategyOf(config),
      // A router needs a moment to find a new engine, and an old one must not go before.
      minReadySeconds,
      progressDeadlineSeconds: startupSeconds + minReadySeconds,
      selector: { matchLabels: selector },
      template: {
        metadata: compact({
          labels: { ...podLabels(owner), ...selector },
          annotations: config.podAnnotations,
        }),
        spec: compact({
          runtimeClassName: config.runtimeClass || undefined,
          affinity: nodeAffinityOf(config.nodeSelectorTerms),
          tolerations: config.toleration,
          imagePullSecrets: pullSecretsOf(config.image),
          securityContext: podSecurity,
          terminationGracePeriodSeconds: drainSeconds + 30,
          volumes: volumes(owner, spec),
          containers: [engineContainer(spec), ...sidecarContainers(spec)],
        }),
      },
    },
  };
}

function strategyOf({
  deploymentStrategy: type,
  rollout,
}: RuntimeSpec['deploymentConfig']): object {
  const { maxSurge, maxUnavailable } = rollout;
  return type === 'Recreate'
    ? { type, rollingUpdate: null }
    : {
        type,
        rollingUpdate: { maxSurge: amount(maxSurge), maxUnavailable: amount(maxUnavailable) },
      };
}

/** A number, or a share as text. */
function amount(value: unknown): number | string {
  const text = String(value);
  return text.endsWith('%') ? text : Number(text);
}

/** A drained node loses engines no faster than a rollout takes them, but one at least, so that it can be drained. */
function disruptionBudget(
  owner: Owner,
  { deploymentConfig }: RuntimeSpec,
  selector: Readonly<Record<string, string>>,
): KubernetesObject {
  const { maxUnavailable } = deploymentConfig.rollout;
  const isNone = /^0+%?$/.test(String(maxUnavailable));
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownedMetadata(owner, owner.metadata.name),
    spec: {
      maxUnavailable: isNone ? 1 : amount(maxUnavailable),
      selector: { matchLabels: selector },
    },
  };
}

function engineContainer(spec: RuntimeSpec): object {
  const { vllmConfig, deploymentConfig: config } = spec;
  const { port } = vllmConfig;
  const isEmbedded = spec.engineKind === 'embedded';
  const { drainSeconds } = config.rollout;
  return compact({
    name: 'vllm',
    image: imageOf(config.image),
    imagePullPolicy: pullPolicyOf(config.image),
    ...engineCommand(spec, drainSeconds),
    env: engineEnvironment(spec),
    ports: [{ name: 'http', containerPort: port }],
    resources: resourcesOf(config.resources),
    volumeMounts: volumeMounts(spec),
    securityContext: containerSecurity,
    // The status of a crash has the last lines of its log.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    startupProbe: servingProbe(spec),
    readinessProbe: healthProbe(port, { periodSeconds: 5, failureThreshold: 3 }),
    livenessProbe: healthProbe(port, { periodSeconds: 20, failureThreshold: 10 }),
    // The embedded engine finishes its streams on SIGTERM by itself.
    lifecycle: isEmbedded ? undefined : { preStop: { exec: { command: drainCommand(spec) } } },
  });
}

/** vLLM cuts its streams on SIGTERM: the hook waits until none is running. Every image of vLLM has Python. */
function drainCommand({ vllmConfig: { port }, deploymentConfig }: RuntimeSpec): readonly string[] {
  const { rollout, image } = deploymentConfig;
  const program = [
    'import re,time,urllib.request as u',
    `end=time.time()+${rollout.drainSeconds}`,
    'time.sleep(5)',
    'while time.time()<end:',
    ` t=u.urlopen("http://127.0.0.1:${port}/metrics",timeout=5).read().decode()`,
    ' if not sum(map(float,re.findall(r"^vllm:num_requests_(?:running|waiting)\\{.*\\} (\\S+)$",t,re.M))): break',
    ' time.sleep(1)',
  ];
  return [pythonOf(image.name), '-c', program.join('\n')];
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

function engineEnvironment(spec: RuntimeSpec): readonly EnvVar[] {
  const { model, vllmConfig: config, lmCacheConfig: cache } = spec;
  const { hfTokenSecretName: secret, hfTokenKeyName: key } = model.hfTokenSecret ?? {};
  const variables: EnvVar[] = [];
  const add = (name: string, value: string | undefined) => {
    if (value) variables.push({ name, value });
  };
  // Later versions of vLLM have the V1 engine only.
  if (config.v1 !== undefined) add('VLLM_USE_V1', config.v1 ? '1' : '0');
  if (model.enableLoRA) add('VLLM_ALLOW_RUNTIME_LORA_UPDATING', 'True');
  if (cache?.enabled) {
    add('LMCACHE_USE_EXPERIMENTAL', 'True');
    add('VLLM_RPC_TIMEOUT', '1000000');
    const host = gigabytes(cache.cpuOffloadingBufferSize);
    const disk = gigabytes(cache.diskOffloadingBufferSize);
    if (host > 0) add('LMCACHE_LOCAL_CPU', 'True');
    if (host > 0) add('LMCACHE_MAX_LOCAL_CPU_SIZE', String(host));
    if (disk > 0) add('LMCACHE_LOCAL_DISK', 'True');
    if (disk > 0) add('LMCACHE_MAX_LOCAL_DISK_SIZE', String(disk));
    add('LMCACHE_REMOTE_URL', cache.remoteUrl);
    if (cache.remoteUrl) add('LMCACHE_REMOTE_SERDE', cache.remoteSerde);
  }
  // The last of two variables of one name wins, so the user's come later.
  for (const { name, value } of config.env ?? []) variables.push({ name, value });
  if (secret) {
    variables.push({ name: 'HF_TOKEN', valueFrom: { secretKeyRef: { name: secret, key } } });
  }
  return variables;
}

/** LMCache takes gigabytes without a unit; upstream passes "4Gi" on, with which LMCache does not start. */
function gigabytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*(|[kMGT]i?)B?$/.exec(text.trim()) ?? [];
  const exponent = unit === '' ? 3 : ' kMGT'.indexOf(unit.charAt(0));
  const bytes = Number(number) * (unit.endsWith('i') ? 1024 : 1000) ** exponent;
  return Number((bytes / 1e9).toFixed(3));
}

function volumes(owner: Owner, spec: RuntimeSpec): readonly object[] {
  const { name } = owner.metadata;
  const { storageConfig: storage, model, deploymentConfig } = spec;
  const all: object[] = [];
  if (storage?.enabled) {
    all.push({ name: storage.volumeName, persistentVolumeClaim: { claimName: name } });
  }
  if (model.chatTemplate) {
    const items = [{ key: 'chatTemplate', path: chatTemplateFile }];
    all.push({ name: 'chat-template', configMap: { name: chatTemplateName(name), items } });
  }
  if (deploymentConfig.shmSize) {
    const emptyDir = { medium: 'Memory', sizeLimit: deploymentConfig.shmSize };
    all.push({ name: 'dshm', emptyDir });
  }
  return all;
}

function volumeMounts({ storageConfig, model, deploymentConfig }: RuntimeSpec): readonly object[] {
  const all: object[] = [];
  if (storageConfig?.enabled) {
    all.push({ name: storageConfig.volumeName, mountPath: storageConfig.mountPath });
  }
  if (model.chatTemplate) {
    all.push({ name: 'chat-template', mountPath: chatTemplateFolder });
  }
  if (deploymentConfig.shmSize) all.push({ name: 'dshm', mountPath: '/dev/shm' });
  return all;
}

function sidecarContainers({ deploymentConfig, storageConfig }: RuntimeSpec): readonly object[] {
  const sidecar = deploymentConfig.sidecarConfig;
  if (!sidecar?.enabled) return [];
  const { cpu = '0.5', memory = '128Mi' } = sidecar.resources ?? {};
  const { mountPath } = sidecar;
  return [
    compact({
      name: sidecar.name,
      image: imageOf(sidecar.image),
      imagePullPolicy: pullPolicyOf(sidecar.image),
      command: sidecar.command,
      args: sidecar.args,
      env: [
        { name: 'PORT', value: sidecarPort },
        { name: 'LORA_DOWNLOAD_BASE_DIR', value: `${mountPath}/lora-adapters` },
        ...(sidecar.env ?? []),
      ],
      resources: resourcesOf({ ...sidecar.resources, cpu, memory }),
      volumeMounts: storageConfig?.enabled ? [{ name: storageConfig.volumeName, mountPath }] : [],
      securityContext: containerSecurity,
    }),
  ];
}
