// The values file of a plan, for `spillway up` and the upstream chart.
import { parse, stringify } from 'yaml';
import type { Decision, OverriddenThreshold } from '../../core/plan/index.ts';
import { helmText, promqlMatcher } from '../../core/quoting/index.ts';
import { fromPlain, renderValues } from '../../core/values/index.ts';
import {
  chartPolicy,
  controllerClient,
  controllerOfRouter,
  engineImage,
  kvEventsArgs,
  scrapeSeconds,
  serviceMonitor,
} from './chart-values.ts';
import type { EngineLayout } from './layout.ts';
import { middleCosts, sharedStoreOf } from './plan-tiers.ts';

export interface ValuesOptions {
  readonly decision: Decision;
  readonly layout: EngineLayout;
  readonly engines: number;
  /** Policy of Spillway's router. */
  readonly policy: string;
  /** Whether prompts share prefixes. */
  readonly sharesPrefixes: boolean;
  /** File with measured step times, if any. */
  readonly profile: string | undefined;
  /** Host memory for KV cache, per engine; 0 without offload. */
  readonly offloadGiB: number;
  readonly loraAdapters: number;
  readonly autoscaling: { readonly waitingPerEngine: number; readonly enginesMax: number };
  readonly thresholds: { readonly hbmUtilization: number };
  /** Custom thresholds, which the next plan can read from the file. */
  readonly overridden: readonly OverriddenThreshold[];
}

/** Returns YAML with comments: keys of the production-stack chart and Spillway's own. */
export function valuesFile(options: ValuesOptions): string {
  const { decision, layout, engines, policy } = options;
  const isCpu = layout.gpu.memoryBytes === undefined;
  const isStack = decision.stack !== 'single-engine';
  const { name } = layout.model;
  const routed = chartPolicy(policy, decision, options.sharesPrefixes);
  const usesController = decision.kvOffload === 'lmcache' && routed === 'kvaware';
  const modelSpec = {
    name: kubernetesName(name),
    ...engineImage(decision, layout),
    modelURL: layout.model.given ?? name,
    gpu: gpuOf(layout),
    ...(options.profile !== undefined && layout.measured ? { profile: options.profile } : {}),
    replicaCount: engines,
    requestCPU: 8,
    requestMemory: podMemory(options.offloadGiB / nodesOf(layout)),
    requestGPU: isCpu ? 0 : layout.gpusPerEngine,
    // The chart's default is nvidia.
    ...(isCpu ? { runtimeClassName: '' } : {}),
    ...(options.loraAdapters > 0 ? { enableLoRA: true } : {}),
    vllmConfig: {
      enablePrefixCaching: true,
      maxModelLen: layout.config.maxModelLen,
      ...(layout.tensorParallelSize > 1 ? { tensorParallelSize: layout.tensorParallelSize } : {}),
      maxNumSeqs: layout.config.maxNumSeqs,
      ...(isCpu ? {} : { gpuMemoryUtilization: layout.gpuMemoryUtilization }),
      ...(options.loraAdapters > 0 ? { maxLoras: layout.config.maxLoras } : {}),
      extraArgs: [
        '--enable-prompt-tokens-details',
        ...stageArgs(layout),
        ...offloadArgs(options),
        // The router subscribes to KV events.
        ...(isStack ? kvEventsArgs : []),
      ],
    },
    ...(decision.kvOffload === 'lmcache'
      ? {
          lmcacheConfig: {
            enabled: true,
            // LMCache allocates this in each worker process (one per GPU), in GB of 2^30 bytes.
            cpuOffloadingBufferSize: String(offloadGiBPerWorker(options)),
            ...(usesController ? controllerClient(offloadWorkers(layout)) : {}),
          },
        }
      : {}),
    ...(decision.kvOffload === 'none' ? {} : { kvTiers: middleCosts(decision.kvOffload, layout) }),
    ...(isStack && !spansNodes(layout) ? { keda: kedaOf(options) } : {}),
  };
  const own = {
    ...(routed === policy ? {} : { routingLogic: policy }),
    ...(options.overridden.length > 0 ? { thresholds: ownThresholds(options) } : {}),
  };
  const tree = fromPlain(
    {
      servingEngineSpec: {
        ...(isStack ? { serviceMonitor } : {}),
        modelSpec: spansNodes(layout) ? overNodes(modelSpec, options) : [modelSpec],
      },
      routerSpec: {
        routingLogic: routed,
        ...(isStack ? { engineScrapeInterval: scrapeSeconds, serviceMonitor } : {}),
        ...(usesController ? controllerOfRouter : {}),
      },
      // The store that all engines share.
      ...(decision.kvOffload === 'lmcache' ? { cacheserverSpec: cacheServer(options) } : {}),
      ...(isStack
        ? { grafanaDashboards: { enabled: true }, 'kube-prometheus-stack': { enabled: true } }
        : {}),
      ...(Object.keys(own).length > 0 ? { spillway: own } : {}),
    },
    { source: 'plan' },
  );
  return renderValues({ ...tree, above: headerOf(options, routed) });
}

/** Returns the comment at the top of the file. */
function headerOf(options: ValuesOptions, routed: string): string {
  const { layout, policy } = options;
  const paragraphs = [
    'Written by "spillway plan".\n' +
      "On Kubernetes: spillway deploy -f FILE (Spillway's chart and router; the engines are vLLM), or\n" +
      "helm install my-stack vllm/vllm-stack -f FILE (upstream's chart 0.1.12 and router).\n" +
      'On this machine: spillway up -f FILE (embedded engines); spillway simulate -f FILE plays traffic to it.\n' +
      "Upstream's chart ignores Spillway's own keys: gpu, profile, kvTiers, spillway, and sizes and links of cacheserverSpec.",
    ...(routed === policy
      ? []
      : [
          `routingLogic ${routed} is for the router of upstream's chart, which has no ${policy}${policy === 'kvaware' ? ' without LMCache' : ''};\n` +
            "Spillway's router uses spillway.routingLogic.",
        ]),
    ...(options.decision.stack !== 'single-engine' && !spansNodes(layout)
      ? [scalingComment(options)]
      : []),
  ];
  return paragraphs
    .join('\n\n')
    .split('\n')
    .map((line) => (line === '' ? '' : ` ${line}`))
    .join('\n');
}

/** Host memory of a pod besides KV cache, in GiB: server, weights during loading, page cache. */
const podMemoryGiB = 32;

function podMemory(offloadGiB: number): string {
  return `${Math.ceil(podMemoryGiB + offloadGiB)}Gi`;
}

/** Returns the store that all engines share; the simulated one has the same size and link. */
function cacheServer({ offloadGiB, layout, decision }: ValuesOptions) {
  return {
    enabled: true,
    image: engineImage(decision, layout),
    ...sharedStoreOf(offloadGiB),
    resources: { requests: { memory: podMemory(offloadGiB) } },
  };
}

/** Prometheus of the kube-prometheus-stack, as in the chart's own trigger. */
const prometheusUrl = 'http://prometheus-operated.monitoring.svc:9090';

/** Disabled by default, and without triggers: see `scalingComment`. */
function kedaOf({ engines, autoscaling }: ValuesOptions) {
  return {
    enabled: false,
    minReplicaCount: engines,
    maxReplicaCount: autoscaling.enginesMax,
    pollingInterval: 15,
    cooldownPeriod: 360,
  };
}

/**
 * Returns working triggers as a comment: the chart's schema requires one map where its template and KEDA need a list,
 * and the chart's own trigger selects by a label `model` that engines do not have.
 */
function scalingComment({ layout, engines, autoscaling, thresholds }: ValuesOptions): string {
  const { name, given } = layout.model;
  // Thresholds of triggers are per replica.
  const trigger = (metric: string, threshold: number) => ({
    type: 'prometheus',
    metadata: {
      serverAddress: prometheusUrl,
      query: helmText(`sum(${metric}{${promqlMatcher('model_name', given ?? name)}})`),
      threshold: String(threshold),
    },
  });
  const scaledObject = {
    extraObjects: [
      {
        apiVersion: 'keda.sh/v1alpha1',
        kind: 'ScaledObject',
        metadata: { name: kubernetesName(name) },
        spec: {
          scaleTargetRef: {
            name: `{{ .Release.Name }}-${kubernetesName(name)}-deployment-vllm`,
          },
          minReplicaCount: engines,
          maxReplicaCount: autoscaling.enginesMax,
          pollingInterval: 15,
          cooldownPeriod: 360,
          triggers: [
            trigger('vllm:num_requests_waiting', autoscaling.waitingPerEngine),
            trigger('vllm:kv_cache_usage_perc', thresholds.hbmUtilization),
          ],
        },
      },
    ],
  };
  return (
    'Autoscaling: with KEDA installed, uncomment this in place of keda.enabled, whose trigger in the chart asks\n' +
    'for a label that engines do not have.\n' +
    stringify(scaledObject, { lineWidth: 0 }).trimEnd()
  );
}

/** Whether an engine spans several nodes, connected by Ray. */
export function spansNodes({ gpusPerEngine, gpusPerNode }: EngineLayout): boolean {
  return gpusPerEngine > gpusPerNode;
}

/** Returns the number of nodes of one engine. */
function nodesOf({ gpusPerEngine, gpusPerNode }: EngineLayout): number {
  return Math.ceil(gpusPerEngine / gpusPerNode);
}

/** Returns the number of worker processes of one engine; each allocates LMCache's host memory for itself. */
function offloadWorkers(layout: EngineLayout): number {
  return layout.tensorParallelSize * layout.pipelineParallelSize;
}

/** Returns the host memory of one worker process of LMCache, in GiB. */
export function offloadGiBPerWorker({
  offloadGiB,
  layout,
}: Pick<ValuesOptions, 'offloadGiB' | 'layout'>): number {
  return Math.floor(offloadGiB / offloadWorkers(layout));
}

/** Flags for pipeline stages within a node; between nodes Ray runs them. */
function stageArgs(layout: EngineLayout): string[] {
  const { pipelineParallelSize } = layout;
  if (pipelineParallelSize === 1 || spansNodes(layout)) return [];
  return ['--pipeline-parallel-size', String(pipelineParallelSize)];
}

/** Returns one entry per engine: with Ray an entry is a head node and its workers. */
function overNodes<T extends { readonly name: string; readonly vllmConfig: object }>(
  entry: T & { readonly requestCPU: number; readonly requestMemory: string },
  { engines, layout }: ValuesOptions,
) {
  const { tensorParallelSize, pipelineParallelSize, gpusPerEngine } = layout;
  const nodes = nodesOf(layout);
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

/** Returns the GPU as it was given: name, file or specification. */
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

/** Converts a model's name to a DNS label. */
function kubernetesName(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  return base
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
}
