// One cell of the 16 × H100 experiment: a system prompt and an offload. The constants contain what
// is known about the runs; fitted ones are fitted to the two rows without offload.
import {
  copyByLayerBytesPerSecond,
  findGpu,
  findModel,
  type KvConnector,
  Lmcache,
  lmcacheFor,
  measuredStepSeconds,
  NativeOffload,
  nativeOffloadFor,
  rooflineCost,
} from '../../src/core/engine/index.ts';
import { llmdTiered } from '../../src/core/peer-policies/index.ts';
import { simulateFleet } from '../../src/core/simulation/index.ts';
import { sizeEngine } from '../../src/core/sizing/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import { startWorkload } from '../../src/core/workload/index.ts';

export type OffloadKind = 'none' | 'native' | 'lmcache';

export interface TierExperiment {
  /** Tokens of the system prompt, as configured in the benchmark. */
  readonly system: number;
  readonly kind: OffloadKind;
  /** @default the benchmark's */
  readonly requests?: number;
  /** Tokens per block; larger blocks are faster and make hits coarser. @default 16 */
  readonly blockSize?: number;
  /** Blocks of 16 tokens in host memory of one engine. @default the guide's */
  readonly hostBlocks?: number;
  /** Bandwidth between one GPU and host memory. @default measured with vLLM 0.11 and LMCache */
  readonly hostBytesPerSecond?: number;
  /** @default 45 */
  readonly clients?: number;
  readonly seed?: number;
  /** @default the fitted constants */
  readonly constants?: TierConstants;
}

export interface TierConstants {
  /**
   * Share of the H100's matrix rate in prefill; attention reaches 1.2 times as much, as in the
   * catalogue.
   */
  readonly prefill: number;
  /** Share of its memory bandwidth in decoding. */
  readonly memory: number;
  /** Time in the API server before the engine, for each token of a prompt. */
  readonly serverSecondsPerToken: number;
}

export interface TierOutcome {
  readonly ttftSeconds: number;
  readonly p90TtftSeconds: number;
  readonly e2eSeconds: number;
  readonly p90E2eSeconds: number;
  /** Prompt and output tokens per second. */
  readonly tokensPerSecond: number;
  readonly hitRate: number;
  readonly externalHitRate: number;
}

/** Fitted to the rows without offload: `node bench/tiers.ts --fit`. */
export const fittedConstants: TierConstants = {
  prefill: 0.36,
  memory: 0.78,
  serverSecondsPerToken: 4e-6,
};

const engines = 8;
/**
 * Blocks of 16 tokens, as vLLM 0.11 computed them at --gpu-memory-utilization 0.65, and as the
 * guide sets them.
 */
const hbmBlocks = 9271;
const guideHostBlocks = 41_000;
const [groups, promptsPerGroup, question, answer] = [45, 10, 256, 1024];
/** The number that the guide's author ran: https://github.com/kubernetes-sigs/inference-perf/pull/320 */
const benchmarkRequests = 2700;
/**
 * inference-perf decodes random token ids to text, which has more tokens when it is encoded again.
 * Measured with Qwen3's tokenizer (tokenizers 0.22, 5 draws of 30,000 and 256 ids of 151,643):
 * 31,863 of 30,257.
 */
const tokensGrown = 1.0531;

/**
 * vLLM 0.11's offloading, which differs from the model's 0.32: it also stored generated tokens,
 * copied each layer separately, and took time in each step: the mean loss of four pairs of runs
 * with 0.11.
 */
const native = {
  link: { bytesPerSecond: copyByLayerBytesPerSecond },
  promptOnly: false,
  stepSeconds: meanOf(measuredStepSeconds.native.slice(1)),
};
/** The time per step is that of LMCache 0.3.15. Its size is that of each GPU's process. */
const lmcache = {
  ...{ link: { bytesPerSecond: 50e9 }, stepSeconds: measuredStepSeconds.lmcache[1] },
  hostBytes: 2 * 100 * 2 ** 30,
};

export function playTierExperiment(options: TierExperiment): TierOutcome {
  const { system, kind, blockSize = 16, clients = groups, seed = 1 } = options;
  const { requests = benchmarkRequests, constants: fitted = fittedConstants } = options;
  const model = findModel('Qwen/Qwen3-32B');
  const gpu = findGpu('H100-80GB');
  const layout = {
    ...{ model, gpu, tensorParallelSize: 2 },
    numGpuBlocks: Math.floor((hbmBlocks * 16) / blockSize),
  };
  const { config } = sizeEngine({ ...layout, scheduler: { blockSize, maxModelLen: 40_960 } });
  const { prefill, memory } = fitted;
  const constants = {
    ...{ matrix: prefill, attention: 1.2 * prefill, weightMemory: memory, kvMemory: memory },
    layerSeconds: 11e-6,
  };
  // The only cost that sizeEngine does not create: its constants are fitted here.
  const cost = rooflineCost({ model, gpu, tensorParallelSize: 2, constants });
  // The client waits for it, the engine does not, as if clients thought for this long.
  const serverSeconds = fitted.serverSecondsPerToken * (system + question);
  const { source } = startWorkload(
    {
      kind: 'shared-prefix',
      settings: {
        ...{ groups, promptsPerGroup, answer, order: 'shuffled-once' },
        systemPrompt: Math.round(system * tokensGrown),
        question: Math.round(question * tokensGrown),
      },
      arrivals: { clients, thinkSeconds: serverSeconds },
      ...{ requests, seconds: undefined },
    },
    { blockTokens: blockSize, seed },
  );
  // Its default scorers routed the run without offload: the guide had no others when its figures
  // were first published, and kept them when offload got separate scorers (llm-d/llm-d#457).
  const hostBlocksBelieved = kind === 'none' ? undefined : guideHostBlocks;
  const { ttftSeconds, e2eSeconds, ...result } = simulateFleet({
    ...{ requests: source, traceBlockTokens: blockSize, seed },
    policy: (options) =>
      llmdTiered.create({ ...options, parameters: { hbmBlocks, hostBlocks: hostBlocksBelieved } }),
    engines: Array.from({ length: engines }, () => ({
      ...{ config, cost },
      createConnector: connectorOf(options, layout, blockSize),
    })),
    reportSeconds: llmdTiered.consumes.engineReports.everySeconds,
  });
  const count = ttftSeconds.length;
  const promptTokens = result.promptTokens.reduce((sum, tokens) => sum + tokens, 0);
  const external = result.engines.reduce((sum, engine) => sum + engine.externalTokens, 0);
  return {
    ttftSeconds: serverSeconds + meanOf(ttftSeconds),
    p90TtftSeconds: serverSeconds + percentile(ttftSeconds.toSorted(), 90),
    e2eSeconds: serverSeconds + meanOf(e2eSeconds),
    p90E2eSeconds: serverSeconds + percentile(e2eSeconds.toSorted(), 90),
    tokensPerSecond: (promptTokens + count * answer) / result.seconds,
    hitRate: result.hitRate,
    externalHitRate: external / promptTokens,
  };
}

function connectorOf(
  { kind, hostBlocks, hostBytesPerSecond }: TierExperiment,
  layout: Parameters<typeof nativeOffloadFor>[0],
  blockSize: number,
): (() => KvConnector) | undefined {
  if (kind === 'none') return undefined;
  const link = hostBytesPerSecond && { link: { bytesPerSecond: hostBytesPerSecond } };
  const sized = nativeOffloadFor(layout, { hostBytes: 1, blockSize, ...native, ...link });
  const chunksOf = (blocks: number) => Math.floor((blocks * 16) / blockSize);
  if (kind === 'native') {
    const config = { ...sized, chunksMax: chunksOf(hostBlocks ?? guideHostBlocks) };
    return () => new NativeOffload({ config, blockSize });
  }
  const hostBytes =
    hostBlocks === undefined ? lmcache.hostBytes : chunksOf(hostBlocks) * sized.chunkBytes;
  const config = lmcacheFor(layout, { blockSize, ...lmcache, ...link, hostBytes });
  return () => new Lmcache({ config, blockSize });
}

function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
