// Values that the upstream chart needs beyond the layout: images, scraping, LMCache's controller, a policy of its
// router. cases.test.ts checks them against the chart's schema and the requirements of its templates (0.1.12).
import type { Decision } from '../../core/plan/index.ts';
import type { EngineLayout } from './layout.ts';

export interface Image {
  readonly repository: string;
  readonly tag: string;
}

/**
 * The images that plans pin; chart-values.test.ts checks that lanes test these versions.
 *
 * vllm: the release that the lane `vllm` runs, whose flags and metrics Spillway follows.
 *
 * lmcache: LMCache with vLLM, as in upstream's tutorial on KV-aware routing and its own tests of the chart
 * (tutorials/assets/values-17-kv-aware.yaml). Upstream's router contains LMCache's controller of the same release line;
 * with another one the controller does not recognize prompts (production-stack issue 1062). The lane `cache` runs its client.
 *
 * cpu: kdevops' image for machines without a GPU, which has no tag of a release that lanes could run.
 */
export const plannedImages = {
  vllm: { repository: 'vllm/vllm-openai', tag: 'v0.32.0' },
  lmcache: { repository: 'lmcache/vllm-openai', tag: 'v0.3.9post2' },
  cpu: { repository: 'openeuler/vllm-cpu', tag: 'latest' },
} as const satisfies Readonly<Record<string, Image>>;

/** Returns the image of the engines. The chart's templates require repository and tag. */
export function engineImage({ kvOffload }: Decision, { gpu }: EngineLayout): Image {
  if (gpu.memoryBytes === undefined) return plannedImages.cpu;
  return kvOffload === 'lmcache' ? plannedImages.lmcache : plannedImages.vllm;
}

/** Interval between two scrapes of an engine, in seconds. */
export const scrapeSeconds = 15;

/** Prometheus Operator rejects a timeout longer than the interval; the chart's default is 25 s. */
export const serviceMonitor = {
  enabled: true,
  interval: `${scrapeSeconds}s`,
  scrapeTimeout: '10s',
} as const;

/** vLLM's default port for KV events, and the next port for replays. */
const eventPorts = { events: 5557, replay: 5558 };

/** The flag for KV events, for which the chart has no key. Pods have their own network, so all engines use the same ports. */
export const kvEventsArgs: readonly string[] = [
  '--kv-events-config',
  JSON.stringify({
    ...{ enable_kv_cache_events: true, publisher: 'zmq' },
    endpoint: `tcp://*:${eventPorts.events}`,
    replay_endpoint: `tcp://*:${eventPorts.replay}`,
    topic: 'kv-events',
  }),
];

/**
 * Returns the chart's policy that is closest to one of Spillway's. The chart's kvaware relies on LMCache's
 * controller, so without LMCache only prefixaware recognizes shared prefixes.
 */
export function chartPolicy(
  policy: string,
  { kvOffload }: Decision,
  sharesPrefixes: boolean,
): string {
  if (policy === 'roundrobin' || policy === 'session' || policy === 'prefixaware') return policy;
  if (!sharesPrefixes) return 'roundrobin';
  return kvOffload === 'lmcache' ? 'kvaware' : 'prefixaware';
}

/** Ports of LMCache's controller in the router, and of its worker processes in an engine. */
const controller = {
  ...{ pull: 9000, reply: 9001, heartbeat: 9002 },
  ...{ firstWorker: 8001, firstPeer: 8201 },
};

/** Settings with which LMCache in an engine reports to the controller in the chart's router. */
export function controllerClient(workers: number) {
  const ports = (first: number) => Array.from({ length: workers }, (_, i) => first + i).join(',');
  return {
    enableController: true,
    controllerPort: controller.pull,
    controllerReplyPort: controller.reply,
    workerPorts: ports(controller.firstWorker),
    // LMCache 0.3.9 reads these with a controller even where engines do not read from each other, and fails without them.
    p2pHost: 'localhost',
    p2pInitPorts: ports(controller.firstPeer),
    // The controller forgets an engine that restarts without heartbeats.
    workerHeartbeatTime: '30',
  };
}

/**
 * Settings of the controller in the chart's router. Spillway's chart exposes these ports itself. Upstream's Service has only
 * the first one, on which LMCache 0.3.9 registers, reports and beats; the others serve its peers, which plans do not use.
 */
export const controllerOfRouter = {
  lmcacheControllerPort: controller.pull,
  lmcacheControllerReplyPort: controller.reply,
  lmcacheControllerHeartbeatPort: controller.heartbeat,
  // The router holds a tokenizer and an index of all chunks; sizes as in upstream's tutorial.
  resources: { requests: { cpu: '1', memory: '2Gi' }, limits: { memory: '2Gi' } },
} as const;
