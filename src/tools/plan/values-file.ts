// The values file of a plan: what `spillway up` runs here and the chart runs on a cluster.
import { parse } from 'yaml';
import type { Decision, OverriddenThreshold } from '../../core/plan/index.ts';
import { fromPlain, renderValues } from '../../core/values/index.ts';
import type { EngineLayout } from './layout.ts';
import { gpusPerNode } from './parallelism.ts';

export interface ValuesOptions {
  readonly decision: Decision;
  readonly layout: EngineLayout;
  readonly engines: number;
  readonly policy: string;
  readonly maxNumSeqs: number;
  /** Of step times, where they are not those that ship. */
  readonly profile: string | undefined;
  /** Host memory for KV cache, per engine; 0 without offload. */
  readonly offloadGiB: number;
  readonly loraAdapters: number;
  readonly autoscaling: { readonly waitingPerEngine: number; readonly enginesMax: number };
  readonly thresholds: { readonly hbmUtilization: number };
  /** Thresholds that are not the rules' own; a next plan takes them from the file. */
  readonly overridden: readonly OverriddenThreshold[];
}

/** YAML with comments: keys of the production-stack chart, and Spillway's own. */
export function valuesFile(options: ValuesOptions): string {
  const { decision, layout, engines, policy } = options;
  const isCpu = layout.gpu.memoryBytes === undefined;
  const { name } = layout.model;
  const modelSpec = {
    name: kubernetesName(name),
    modelURL: layout.model.given ?? name,
    gpu: gpuOf(layout),
    ...(options.profile !== undefined && layout.measured ? { profile: options.profile } : {}),
    replicaCount: engines,
    requestCPU: 8,
    requestMemory: `${Math.ceil(32 + options.offloadGiB)}Gi`,
    requestGPU: isCpu ? 0 : layout.gpusPerEngine,
    ...(options.loraAdapters > 0 ? { enableLoRA: true } : {}),
    vllmConfig: {
      enablePrefixCaching: true,
      maxModelLen: layout.config.maxModelLen,
      ...(layout.tensorParallelSize > 1 ? { tensorParallelSize: layout.tensorParallelSize } : {}),
      maxNumSeqs: options.maxNumSeqs,
      ...(isCpu ? {} : { gpuMemoryUtilization: layout.gpuMemoryUtilization }),
      ...(options.loraAdapters > 0 ? { maxLoras: Math.min(options.loraAdapters, 8) } : {}),
      // The channel that a router of several engines listens to.
      ...(decision.stack === 'production-stack' ? { kvEvents: true } : {}),
      extraArgs: ['--enable-prompt-tokens-details', ...stageArgs(layout), ...offloadArgs(options)],
    },
    ...(decision.kvOffload === 'lmcache'
      ? {
          lmcacheConfig: {
            enabled: true,
            // LMCache counts in GB of 2^30 bytes.
            cpuOffloadingBufferSize: String(Math.floor(options.offloadGiB)),
          },
        }
      : {}),
    ...(decision.stack === 'production-stack' && !spansNodes(layout)
      ? { keda: kedaOf(options) }
      : {}),
  };
  const tree = fromPlain(
    {
      servingEngineSpec: {
        modelSpec: spansNodes(layout) ? overNodes(modelSpec, options) : [modelSpec],
      },
      routerSpec: { routingLogic: policy },
      // What one engine has computed the others find here.
      ...(decision.kvOffload === 'lmcache' ? { cacheserverSpec: { enabled: true } } : {}),
      ...(decision.stack === 'production-stack'
        ? { grafanaDashboards: { enabled: true }, 'kube-prometheus-stack': { enabled: true } }
        : {}),
      ...(options.overridden.length > 0
        ? { spillway: { thresholds: ownThresholds(options) } }
        : {}),
    },
    { source: 'plan' },
  );
  return renderValues({
    ...tree,
    above:
      ' Written by "spillway plan". "spillway up -f FILE" runs it on this machine with embedded engines,\n' +
      ' "spillway simulate -f FILE" plays traffic to it. Keys are those of the production-stack chart, but for\n' +
      ' kvEvents and gpu, which it does not know: there KV events are a flag in extraArgs.',
  });
}

/** Prometheus of the kube-prometheus-stack, where the chart's own trigger looks for it. */
const prometheusUrl = 'http://prometheus-operated.monitoring.svc:9090';

/**
 * Off until somebody wants it. A trigger's threshold is per replica. The chart's own trigger asks for a label
 * `model`, which engines do not have.
 */
function kedaOf({ layout, engines, autoscaling, thresholds }: ValuesOptions) {
  const { name, given } = layout.model;
  const trigger = (metric: string, threshold: number) => ({
    type: 'prometheus',
    metadata: {
      serverAddress: prometheusUrl,
      metricName: metric,
      query: `sum(${metric}{model_name="${given ?? name}"})`,
      threshold: String(threshold),
    },
  });
  return {
    enabled: false,
    minReplicaCount: engines,
    maxReplicaCount: autoscaling.enginesMax,
    pollingInterval: 15,
    cooldownPeriod: 360,
    triggers: [
      trigger('vllm:num_requests_waiting', autoscaling.waitingPerEngine),
      trigger('vllm:kv_cache_usage_perc', thresholds.hbmUtilization),
    ],
  };
}

/** Whether an engine is several nodes, which Ray holds together. */
export function spansNodes({ gpusPerEngine }: EngineLayout): boolean {
  return gpusPerEngine > gpusPerNode;
}

/** Stages within a node are a matter of vLLM alone; between nodes they are Ray's. */
function stageArgs(layout: EngineLayout): string[] {
  const { pipelineParallelSize } = layout;
  if (pipelineParallelSize === 1 || spansNodes(layout)) return [];
  return ['--pipeline-parallel-size', String(pipelineParallelSize)];
}

/** An entry for each engine: with Ray an entry is one engine, a head node and its workers. */
function overNodes<T extends { readonly name: string; readonly vllmConfig: object }>(
  entry: T & { readonly requestCPU: number; readonly requestMemory: string },
  { engines, layout: { tensorParallelSize, pipelineParallelSize, gpusPerEngine } }: ValuesOptions,
) {
  const nodes = Math.ceil(gpusPerEngine / gpusPerNode);
  const requestGPU = gpusPerEngine / nodes;
  const { requestCPU, requestMemory } = entry;
  return Array.from({ length: engines }, (_, i) => ({
    ...entry,
    name: engines === 1 ? entry.name : `${entry.name}-${i + 1}`,
    replicaCount: nodes - 1,
    requestGPU,
    raySpec: { enabled: true, headNode: { requestCPU, requestMemory, requestGPU } },
    vllmConfig: { ...entry.vllmConfig, tensorParallelSize, pipelineParallelSize },
  }));
}

function ownThresholds({ overridden }: ValuesOptions): Readonly<Record<string, number>> {
  return Object.fromEntries(overridden.map(({ threshold, value }) => [threshold, value]));
}

/** Files and entries of a GPU go on as they were given. */
function gpuOf({ gpu }: EngineLayout): unknown {
  return gpu.given?.trimStart().startsWith('{') ? parse(gpu.given) : (gpu.given ?? gpu.name);
}

function offloadArgs({ decision, offloadGiB }: ValuesOptions): string[] {
  if (decision.kvOffload !== 'native') return [];
  return [
    '--kv-offloading-size',
    String(Math.floor(offloadGiB)),
    '--kv-offloading-backend',
    'native',
  ];
}

/** A DNS label from a model's name. */
function kubernetesName(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  return base
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
}
