// Values files for common environments, printed by `spillway config show`. All but the first follow
// the defconfigs of kdevops' vLLM workflow (https://github.com/linux-kdevops/kdevops,
// workflows/vllm), which serve facebook/opt-125m.

import { InputError, nearest } from '../base/index.ts';

export interface Preset {
  readonly name: string;
  /** One line for `spillway config presets`. */
  readonly summary: string;
  /** What `spillway up` needs to run it, after "Needs". */
  readonly needs: string;
  /** The values file. */
  readonly yaml: string;
}

const laptop = `# Four embedded engines of one model behind the predictive router: no GPU, no cluster.
servingEngineSpec:
  modelSpec:
    - name: qwen3-8b
      kind: embedded
      modelURL: Qwen/Qwen3-8B
      gpu: H100-80GB # the GPU that each engine emulates
      replicaCount: 4
      vllmConfig:
        enablePrefixCaching: true
        kvEvents: true
        # Responses report how much of a prompt was cached, and the router learns from that.
        extraArgs:
          - --enable-prompt-tokens-details
routerSpec:
  routingLogic: predictive
`;

const quickTest = `# The least that still is a stack: one small model on two CPUs, short prompts.
servingEngineSpec:
  runtimeClassName: ""
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      repository: openeuler/vllm-cpu
      tag: latest
      replicaCount: 1
      requestCPU: 2
      requestMemory: 8Gi
      requestGPU: 0
      vllmConfig:
        dtype: float32
        maxModelLen: 512
routerSpec:
  routingLogic: roundrobin
`;

const cpu = `# One engine on the CPUs of a machine with 8 CPUs and 32 GiB.
servingEngineSpec:
  runtimeClassName: ""
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      repository: openeuler/vllm-cpu
      tag: latest
      replicaCount: 1
      requestCPU: 8
      requestMemory: 32Gi
      requestGPU: 0
      vllmConfig:
        dtype: float32
        maxModelLen: 2048
routerSpec:
  routingLogic: roundrobin
`;

const gpu = `# Two engines with a GPU each that take half of its memory, and KEDA up to five.
servingEngineSpec:
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      repository: vllm/vllm-openai
      tag: latest
      replicaCount: 2
      requestCPU: 4
      requestMemory: 16Gi
      requestGPU: 1
      vllmConfig:
        enablePrefixCaching: true
        maxModelLen: 1024
        gpuMemoryUtilization: 0.5
        kvEvents: true
      # Scales on waiting requests; KEDA must be installed.
      keda:
        enabled: true
        minReplicaCount: 2
        maxReplicaCount: 5
routerSpec:
  routingLogic: predictive
kube-prometheus-stack:
  enabled: true
grafanaDashboards:
  enabled: true
`;

const productionStackCpu = `# The whole stack without a GPU: two engines on CPUs, with monitoring.
servingEngineSpec:
  runtimeClassName: ""
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      repository: openeuler/vllm-cpu
      tag: latest
      replicaCount: 2
      requestCPU: 8
      requestMemory: 20Gi
      requestGPU: 0
      vllmConfig:
        dtype: float32
        maxModelLen: 2048
  serviceMonitor:
    enabled: true
routerSpec:
  routingLogic: roundrobin
  serviceMonitor:
    enabled: true
kube-prometheus-stack:
  enabled: true
grafanaDashboards:
  enabled: true
`;

const declaredHosts = `# An existing cluster with GPUs: two engines with a GPU each, and KEDA up to five.
servingEngineSpec:
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      repository: vllm/vllm-openai
      tag: latest
      replicaCount: 2
      requestCPU: 4
      requestMemory: 16Gi
      requestGPU: 1
      vllmConfig:
        enablePrefixCaching: true
        maxModelLen: 2048
        kvEvents: true
      # Scales on waiting requests; KEDA must be installed.
      keda:
        enabled: true
        minReplicaCount: 2
        maxReplicaCount: 5
  serviceMonitor:
    enabled: true
routerSpec:
  routingLogic: predictive
  serviceMonitor:
    enabled: true
`;

const bareMetal = `# One "vllm serve" on this host, without Kubernetes.
servingEngineSpec:
  modelSpec:
    - name: opt-125m
      kind: vllm
      modelURL: facebook/opt-125m
      replicaCount: 1
      vllmConfig:
        enablePrefixCaching: true
        maxModelLen: 2048
routerSpec:
  routingLogic: roundrobin
`;

/** The preset with which `spillway up` and `spillway config show` start by default. */
export const defaultPreset = 'laptop';

export const presets: readonly Preset[] = [
  {
    name: defaultPreset,
    summary: 'Four embedded engines on this machine; the default of "spillway up".',
    needs: 'nothing but Node',
    yaml: laptop,
  },
  {
    name: 'quick-test',
    summary: 'One engine on two CPUs with short prompts.',
    needs: 'vLLM for CPUs, 2 CPUs and 8 GiB of memory',
    yaml: quickTest,
  },
  {
    name: 'cpu',
    summary: 'One engine on eight CPUs.',
    needs: 'vLLM for CPUs, 8 CPUs and 32 GiB of memory',
    yaml: cpu,
  },
  {
    name: 'gpu',
    summary: 'Two engines with a GPU each, scaled by KEDA, with dashboards.',
    needs: 'vLLM and 2 GPUs',
    yaml: gpu,
  },
  {
    name: 'production-stack-cpu',
    summary: 'Two engines on CPUs in a cluster, with monitoring.',
    needs: 'vLLM for CPUs, 16 CPUs and 40 GiB of memory',
    yaml: productionStackCpu,
  },
  {
    name: 'declared-hosts',
    summary: 'Two engines with a GPU each in an existing cluster, scaled by KEDA.',
    needs: 'vLLM and 2 GPUs',
    yaml: declaredHosts,
  },
  {
    name: 'bare-metal',
    summary: 'One "vllm serve" on this host, without a cluster.',
    needs: 'vLLM and 1 GPU',
    yaml: bareMetal,
  },
];

/**
 * @param what The name as the user gave it, for the error.
 * @throws {InputError} If there is no such preset, with the known ones.
 */
export function findPreset(name: string, what = `"${name}"`): Preset {
  const preset = presets.find((candidate) => candidate.name === name);
  if (preset) return preset;
  const names = presets.map((candidate) => candidate.name);
  const near = nearest(name, names);
  throw new InputError(
    `${what} is not a preset; ${near ? `did you mean ${near}? Known` : 'known'}: ${names.join(', ')}.`,
  );
}
