// The sentences with which the production stack and LMCache are advertised, and the loads on which they are tried.

/** What a claim is measured by. Latencies are means over the requests. */
export type ClaimMeasure = 'ttftMs' | 'e2eMs' | 'tokensPerSecond';

export interface Claim {
  readonly sentence: string;
  readonly measures: readonly ClaimMeasure[];
  /** Shapes that it is about; all if undefined. */
  readonly shapes?: readonly ShapeName[];
  /** Least and largest gain that it promises. */
  readonly gain: readonly [least: number, most: number];
}

export type ShapeName = 'multi-round-qa' | 'rag';

export const claims: readonly Claim[] = [
  {
    sentence: 'Responses come 3 to 10 times as fast',
    measures: ['ttftMs', 'e2eMs'],
    gain: [3, 10],
  },
  { sentence: 'Throughput is 2 to 5 times as high', measures: ['tokensPerSecond'], gain: [2, 5] },
  {
    sentence: 'Conversations of several turns are 10 times as fast',
    measures: ['ttftMs', 'e2eMs'],
    shapes: ['multi-round-qa'],
    gain: [10, 10],
  },
  {
    sentence: 'Retrieval-augmented generation is 10 times as fast',
    measures: ['ttftMs', 'e2eMs'],
    shapes: ['rag'],
    gain: [10, 10],
  },
];

export interface Shape {
  readonly name: ShapeName;
  readonly what: string;
  /** The text of a workload file. */
  readonly workload: string;
}

/** @see benchmarks/multi-round-qa in vLLM's production stack, for eight engines */
export const shapes: readonly Shape[] = [
  {
    name: 'multi-round-qa',
    what: '160 users, 8 rounds, a history of 20,000 tokens each, 8 questions per second',
    workload: `kind: multi-round-qa
users: 160
rounds: 8
qps: 8
sharedSystemPrompt: 1000
userHistoryPrompt: 20000
answerLen: 100
requests: 960
`,
  },
  {
    name: 'rag',
    what: 'questions about one of 500 documents of 8,000 tokens each, 16 per second',
    workload: `kind: rag
documents: 500
documentTokens: 8000
perRequest: 1
systemPrompt: 500
question: 100
answer: 150
requests: 1200
arrivals: { process: poisson, rate: 16 }
`,
  },
];

/** Eight engines of one GPU each, as in the announcements. */
export const claimedValues = `servingEngineSpec:
  modelSpec:
    - name: llama-8b
      modelURL: meta-llama/Llama-3.1-8B-Instruct
      gpu: H100-80GB
      replicaCount: 8
      vllmConfig:
        enablePrefixCaching: true
        maxModelLen: 131072
cacheserverSpec:
  enabled: true
  linkGbps: 100
`;

/** One run of a shape, on one side. */
export interface ClaimRun {
  readonly shape: ShapeName;
  /** Whether engines share KV cache, and the router knows of it. */
  readonly shares: boolean;
  readonly seed: number;
  readonly figures: Readonly<Record<ClaimMeasure, number>>;
  readonly failed: number;
}
