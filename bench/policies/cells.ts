// The cells of the comparison: a fleet, traffic for it under a seed, and the definition of a good
// response.
import { randomExponential, seededRandom } from '../../src/core/base/index.ts';
import { findGpu, findModel } from '../../src/core/engine/index.ts';
import {
  fleetOf,
  type SimulatedEngine,
  type SimulatedRequest,
  traceBlockTokens,
  withSessions,
} from '../../src/core/simulation/index.ts';
import { sizeEngine } from '../../src/core/sizing/index.ts';
import { sliceTrace, type TraceRequest } from '../../src/core/traces/index.ts';
import { parseWorkload, startWorkload } from '../../src/core/workload/index.ts';
import { loadTrace } from '../../src/io/traces/index.ts';
import { withHotPrefix } from '../../test/support/fleet-scenarios.ts';
import { jitteredEngines } from '../../test/support/jittered-engines.ts';
import { openLoop } from './open-loop.ts';

export interface Traffic {
  readonly requests: readonly SimulatedRequest[];
  /** Tokens per block id. */
  readonly blockTokens: number;
}

export interface Cell {
  readonly name: string;
  readonly what: string;
  /** New for each policy: engines may keep state. */
  readonly engines: (stepCost: StepCost, seed: number) => SimulatedEngine[];
  readonly traffic: (options: {
    readonly seed: number;
    readonly requests: number;
  }) => Promise<Traffic>;
  /** A good response has its first token within this time, and each later one within `tpotSeconds`. */
  readonly ttftSeconds: number;
  readonly tpotSeconds: number;
  /** Share of the requests at the start that only fill the caches. @default 0.25 */
  readonly warmupShare?: number;
  /** A file that is not in the repository; without it, a run skips the cell. */
  readonly needs?: string;
}

/** Tokens per id of generated workloads: the block size of the simulated engines. */
const generatedBlockTokens = 64;

/** Sources of step times by name: fitted to measurements, or the catalogue's figures alone. */
export const stepCosts = ['calibrated', 'roofline'] as const;
export type StepCost = (typeof stepCosts)[number];

const eight = (stepCost: StepCost) => fleetOf({ engines: 8, stepCost });
const eightGenerated = (stepCost: StepCost) =>
  fleetOf({ engines: 8, blockTokens: generatedBlockTokens, stepCost });

/**
 * Mooncake's synthetic trace: 3,993 requests in 17 minutes, long shared prefixes, responses of 149
 * tokens on average. It is not in this repository: download the URL, check the checksum, and name the
 * file, plain or gzipped, with --synthetic.
 */
export const syntheticTrace = {
  /** From the environment, so that the workers have it too. */
  get file() {
    return process.env['MOONCAKE_SYNTHETIC'] ?? '.cache/mooncake-synthetic.jsonl.gz';
  },
  url: 'https://github.com/kvcache-ai/Mooncake/blob/3b5a594/FAST25-release/traces/synthetic_trace.jsonl',
  sha256: 'bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131',
  rows: 3993,
  /** Longest prompt and response, rounded up. */
  maxModelLen: 192_000,
};

export const cells: readonly Cell[] = [
  ...[1, 2, 3].map(
    (speed): Cell => ({
      name: `conversation-${speed}`,
      what: `Mooncake conversation trace × ${speed}; 8 × H100, Qwen3-8B`,
      engines: eight,
      traffic: (options) => conversation({ ...options, speed }),
      ...{ ttftSeconds: 3, tpotSeconds: 0.1 },
    }),
  ),
  ...[20, 40].map(
    (rate): Cell => ({
      name: `llmd-73-${rate}`,
      what: `llm-d's 73 % capacity workload: 150 groups × 5 prompts of 6,000 + 1,200 tokens, responses of 400, ${rate}/s; 8 × (2 × H100), Qwen3-32B`,
      engines: llmdFleet,
      traffic: (options) =>
        generated(
          `{ kind: shared-prefix, groups: 150, promptsPerGroup: 5, systemPrompt: 6000,
           question: 1200, answer: 400, requests: ${2 * options.requests},
           arrivals: { process: poisson, rate: ${rate} } }`,
          options.seed,
        ),
      ...{ ttftSeconds: 1, tpotSeconds: 0.1 },
    }),
  ),
  ...[5, 10, 20].map(
    (qps): Cell => ({
      name: `multi-round-qa-${qps}`,
      what: `multi-round QA: 100 users, 10 rounds, 1,000 + 20,000 tokens before the first question, responses of 100, ${qps}/s; 8 × H100, Qwen3-8B`,
      engines: eightGenerated,
      traffic: ({ seed, requests }) =>
        generated(
          `{ kind: multi-round-qa, users: 100, rounds: 10, qps: ${qps}, sharedSystemPrompt: 1000,
           userHistoryPrompt: 20000, question: 20, answerLen: 100, requests: ${requests} }`,
          seed,
        ),
      ...{ ttftSeconds: 2, tpotSeconds: 0.1 },
    }),
  ),
  ...[0.5, 1, 2].map(
    (speed): Cell => ({
      name: `synthetic-${speed}`,
      what: `Mooncake synthetic trace × ${speed}; 8 × H100, Qwen3-8B`,
      engines: (stepCost) =>
        fleetOf({ engines: 8, stepCost, maxModelLen: syntheticTrace.maxModelLen }),
      traffic: ({ seed, requests }) =>
        slice(syntheticTrace.file, syntheticTrace.rows, { seed, requests: 2 * requests, speed }),
      get needs() {
        return syntheticTrace.file;
      },
      ...{ ttftSeconds: 3, tpotSeconds: 0.1 },
    }),
  ),
  {
    name: 'azure-code',
    what: 'Azure code trace × 4, no shared prefixes; 4 × H100, Qwen3-8B',
    engines: (stepCost) => fleetOf({ engines: 4, stepCost }),
    traffic: azureCode,
    ...{ ttftSeconds: 1, tpotSeconds: 0.1 },
  },
  {
    name: 'agents',
    what: 'agents: 4 tasks/s of 8 requests on average, 5 roles of 3,000 tokens, tools that add 800; 8 × H100, Qwen3-8B',
    engines: eightGenerated,
    traffic: ({ seed, requests }) =>
      generated(
        `{ kind: agents, roles: 5, systemPrompt: 3000, task: 1000, steps: 8, toolResult: 800,
           toolSeconds: 2, answer: 150, requests: ${requests},
           arrivals: { process: poisson, rate: 4 } }`,
        seed,
      ),
    ...{ ttftSeconds: 1, tpotSeconds: 0.1 },
  },
  {
    name: 'hostile',
    what: 'conversation trace × 2 with three bursts, each a fifth of the requests within 10 s on one new document of 16,384 tokens; 8 × H100, Qwen3-8B, the first three times slower',
    engines: (stepCost) => fleetOf({ engines: 8, firstSlowedBy: 3, stepCost }),
    traffic: hostile,
    ...{ ttftSeconds: 3, tpotSeconds: 0.1 },
  },
  ...lightCells(),
];

/**
 * Light load, where any policy is fast enough and chance must not make one slow: few and short prompts, engines whose
 * steps vary as those of live ones, warm and just started.
 */
function lightCells(): Cell[] {
  return [false, true].flatMap((isCold): Cell[] => {
    const state = isCold ? 'cold' : 'warm';
    const jittered = (engines: number, blockTokens: number) => (stepCost: StepCost, seed: number) =>
      jitteredEngines({ engines, seed, isCold, blockTokens, stepCost });
    const varying = `Qwen3-8B, ${state}, steps vary`;
    const warmupShare = isCold ? 0 : 0.25;
    return [
      {
        name: `light-trace-${state}`,
        what: `Mooncake conversation trace × 0.25; 4 × H100, ${varying}`,
        engines: jittered(4, traceBlockTokens),
        traffic: (options) => conversation({ ...options, speed: 0.25 }),
        ...{ ttftSeconds: 3, tpotSeconds: 0.1, warmupShare },
      },
      ...[1, 5, 20].map(
        (rate): Cell => ({
          name: `short-${rate}-${state}`,
          what: `prompts of 300 tokens that share nothing, responses of 40, ${rate}/s; 3 × H100, ${varying}`,
          engines: jittered(3, generatedBlockTokens),
          traffic: async (options) => unrelated({ ...options, rate }),
          ...{ ttftSeconds: 0.2, tpotSeconds: 0.05, warmupShare },
        }),
      ),
    ];
  });
}

/** Short prompts that have nothing in common. */
function unrelated(options: {
  readonly seed: number;
  readonly requests: number;
  readonly rate: number;
}): Traffic {
  const random = seededRandom(options.seed);
  const [promptTokens, outputTokens] = [300, 40];
  const blocks = Math.ceil(promptTokens / generatedBlockTokens);
  let arrivalSeconds = 0;
  const requests = Array.from({ length: options.requests }, (_, i) => {
    arrivalSeconds += randomExponential(random, 1 / options.rate);
    const blockIds = Array.from({ length: blocks }, (_, block) => i * blocks + block);
    return { arrivalSeconds, promptTokens, outputTokens, blockIds, session: `session-${i}` };
  });
  return { requests, blockTokens: generatedBlockTokens };
}

/** The trace's arrivals have ticks of about this length. */
const tickSeconds = 3;

/** Each seed has a separate part of the trace, as far as the trace is long enough. */
async function conversation(options: {
  readonly seed: number;
  readonly requests: number;
  readonly speed: number;
}): Promise<Traffic> {
  const trace = await slice('bench/data/mooncake-conversation.jsonl.gz', 12_031, options);
  const requests = spreadArrivals(trace.requests, tickSeconds / options.speed, options.seed);
  return { requests: withSessions(requests), blockTokens: trace.blockTokens };
}

/**
 * Draws arrivals within their tick: simultaneous arrivals are an artefact of the recording, and
 * policies that use reports would send all of them to one engine.
 */
function spreadArrivals(
  requests: readonly TraceRequest[],
  seconds: number,
  seed: number,
): TraceRequest[] {
  const random = seededRandom(seed);
  return requests
    .map((request) => ({
      ...request,
      arrivalSeconds: request.arrivalSeconds + seconds * random.next(),
    }))
    .sort((a, b) => a.arrivalSeconds - b.arrivalSeconds);
}

async function azureCode(options: {
  readonly seed: number;
  readonly requests: number;
}): Promise<Traffic> {
  const file = 'bench/data/azure-code-2023.csv.gz';
  return await slice(file, 8819, { ...options, speed: 4 });
}

async function slice(
  file: string,
  rows: number,
  options: { readonly seed: number; readonly requests: number; readonly speed: number },
) {
  const { seed, requests, speed } = options;
  const skip = ((seed - 1) * requests) % Math.max(1, rows - requests + 1);
  return sliceTrace(await loadTrace(file, { skip, requests }), { speed });
}

async function hostile(options: {
  readonly seed: number;
  readonly requests: number;
}): Promise<Traffic> {
  const burst = Math.floor(options.requests / 5);
  const base = await conversation({ ...options, requests: options.requests - 3 * burst, speed: 2 });
  const endSeconds = base.requests.at(-1)?.arrivalSeconds ?? 0;
  const requests = [0.25, 0.5, 0.75].reduce(
    (traffic, share) =>
      withHotPrefix(traffic, {
        ...{ requests: burst, documentTokens: 16_384, seconds: 10 },
        atSeconds: share * endSeconds,
      }),
    [...base.requests],
  );
  return { requests, blockTokens: base.blockTokens };
}

async function generated(text: string, seed: number): Promise<Traffic> {
  const workload = parseWorkload(text, 'bench/policies/cells.ts');
  const { source } = startWorkload(workload, { blockTokens: generatedBlockTokens, seed });
  return { requests: openLoop(source), blockTokens: generatedBlockTokens };
}

/** Two H100 per engine; the prompts of the workload, 1.8M tokens, are 73 % of the fleet's KV cache. */
function llmdFleet(stepCost: StepCost): SimulatedEngine[] {
  const [model, gpu] = [findModel('Qwen3-32B'), findGpu('H100-80GB')];
  const blockSize = generatedBlockTokens;
  const workloadTokens = 150 * (6000 + 5 * 1200);
  const numGpuBlocks = Math.ceil(workloadTokens / 0.73 / 8 / blockSize);
  const { config, cost } = sizeEngine({
    ...{ model, gpu, tensorParallelSize: 2, numGpuBlocks, stepCost },
    scheduler: { blockSize, maxModelLen: 32_768 },
  });
  return Array.from({ length: 8 }, () => ({ config, cost }));
}
