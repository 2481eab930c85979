// What the claims are tried on: loads, and the set-ups that serve them.

/** One simulated run. */
export interface Run {
  readonly load: string;
  readonly setup: string;
  readonly seed: number;
  /** Means over the requests. */
  readonly ttftMs: number;
  readonly e2eMs: number;
  /** Mean over the gaps between tokens. */
  readonly itlMs: number;
  /** Output tokens over the duration of the run. */
  readonly tokensPerSecond: number;
}

type Kind = 'multi-turn' | 'rag' | 'unshared' | 'trace';

export interface Load {
  readonly name: string;
  readonly kind: Kind;
  /** A file; undefined where a trace is played. */
  readonly workload?: string;
  /** `KEY=VALUE` for the workload. */
  readonly sets: readonly string[];
  readonly trace?: { readonly file: string; readonly speed: number; readonly requests: number };
}

export interface Setup {
  readonly name: string;
  readonly what: string;
  readonly policy: string;
  readonly offload: string;
}

/** The first two are what the claims may be measured against, the others are what is claimed to be faster. */
export const setups: readonly Setup[] = [
  {
    name: 'round robin',
    what: 'the same four engines behind a load balancer that knows nothing of caches',
    ...{ policy: 'roundrobin', offload: 'none' },
  },
  {
    name: 'session',
    what: 'the same, each conversation on one engine',
    ...{ policy: 'session', offload: 'none' },
  },
  {
    name: 'router',
    what: 'the policy `predictive`, which follows prefixes; no offload',
    ...{ policy: 'predictive', offload: 'none' },
  },
  {
    name: 'stack',
    what: '`predictive`, and LMCache: 100 GiB of host memory per engine and a shared store',
    ...{ policy: 'predictive', offload: 'lmcache=100' },
  },
];

const file = (name: string) => `bench/claims/${name}.yaml`;
const poisson = (rate: number) => ['arrivals.process=poisson', `arrivals.rate=${rate}`];
const clients = (count: number) => [`arrivals.clients=${count}`];

export const loads: readonly Load[] = [
  ...[1, 3, 6, 12].map(
    (qps): Load => ({
      name: `multi-turn-${qps}`,
      kind: 'multi-turn',
      workload: file('multi-turn'),
      sets: [`qps=${qps}`],
    }),
  ),
  {
    name: 'multi-turn-200-users-6',
    kind: 'multi-turn',
    workload: file('multi-turn'),
    sets: ['users=200', 'requests=1000', 'qps=6'],
  },
  ...[1, 4, 8].map(
    (rate): Load => ({
      name: `rag-one-document-${rate}`,
      kind: 'rag',
      workload: file('rag-one-document'),
      sets: poisson(rate),
    }),
  ),
  {
    name: 'rag-one-document-closed',
    kind: 'rag',
    workload: file('rag-one-document'),
    sets: clients(64),
  },
  ...[1, 4].map(
    (rate): Load => ({
      name: `rag-four-documents-${rate}`,
      kind: 'rag',
      workload: file('rag-four-documents'),
      sets: poisson(rate),
    }),
  ),
  {
    name: 'rag-four-documents-closed',
    kind: 'rag',
    workload: file('rag-four-documents'),
    sets: clients(64),
  },
  {
    name: 'rag-long-documents-closed',
    kind: 'rag',
    workload: file('rag-one-document'),
    sets: ['documents=100', 'documentTokens=24000', ...clients(64)],
  },
  ...[10, 30].map(
    (rate): Load => ({
      name: `unshared-${rate}`,
      kind: 'unshared',
      workload: file('unshared'),
      sets: poisson(rate),
    }),
  ),
  ...[0.5, 1].map(
    (speed): Load => ({
      name: `conversation-trace-${speed}`,
      kind: 'trace',
      sets: [],
      trace: { file: 'bench/data/mooncake-conversation.jsonl.gz', speed, requests: 1500 },
    }),
  ),
];

/** The flags of `spillway simulate` for a load on a set-up. */
export function simulateFlags(load: Load, setup: Setup) {
  return {
    sets: [`routerSpec.routingLogic=${setup.policy}`],
    offload: setup.offload,
    ...(load.workload !== undefined && { workload: load.workload, workloadSets: load.sets }),
    trace: load.trace?.file,
    speed: load.trace?.speed ?? 1,
    requests: load.trace?.requests,
  };
}

/** The same as a command line. */
export function simulateCommand(load: Load, setup: Setup): string {
  return [
    'spillway simulate -f bench/claims/stack.yaml',
    `--set routerSpec.routingLogic=${setup.policy} --offload ${setup.offload} --seed 1`,
    trafficFlags(load),
  ].join(' ');
}

/** The part of a command that says what is sent. */
export function trafficFlags({ workload, sets, trace }: Load): string {
  if (trace !== undefined) {
    return `--trace ${trace.file} --speed ${trace.speed} --requests ${trace.requests}`;
  }
  return [`--workload ${workload}`, ...sets.map((set) => `--set-workload ${set}`)].join(' ');
}
