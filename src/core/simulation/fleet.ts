// A fleet of engine models behind the real routing core, on a virtual clock: what a policy does to
// a trace, in seconds instead of GPU-hours.
import { ManualClock, seededRandom } from '../base/index.ts';
import {
  type EngineConfig,
  type EngineListener,
  EngineModel,
  type EngineRequest,
  type EngineStep,
  type KvConnector,
  type StepCostModel,
  type TierStats,
} from '../engine/index.ts';
import { type BlockKey, KvIndex } from '../kv/index.ts';
import type { BlockStoredEvent } from '../protocol/index.ts';
import {
  createPolicy,
  type Policy,
  RoutingCore,
  type RoutingRequest,
  type Ticket,
} from '../routing/index.ts';

/** One request of a trace; equal block ids mean equal text after an equal prefix. */
export interface SimulatedRequest {
  readonly arrivalSeconds: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** One id per `traceBlockTokens` tokens of the prompt; the last may be partial. */
  readonly blockIds: readonly number[];
  readonly session?: string | undefined;
}

export interface SimulatedEngine {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** What lies below the engine's KV cache; engines may share what is behind theirs. */
  readonly createConnector?: ((engine: number) => KvConnector) | undefined;
}

export interface FleetSimulationOptions {
  readonly requests: readonly SimulatedRequest[];
  readonly engines: readonly SimulatedEngine[];
  readonly policy: Policy | string;
  /** Tokens per id in `blockIds`; a multiple of the engines' block size. */
  readonly traceBlockTokens: number;
  /** Arrivals come this many times as fast. @default 1 */
  readonly speed?: number | undefined;
  /** How often the router hears of the engines' own gauges; 0 = never. @default 5 */
  readonly reportSeconds?: number | undefined;
  /** Time between router and engine, each way. @default 0.0005 */
  readonly networkSeconds?: number | undefined;
  /** Whether answers tell `cached_tokens` in their usage. @default true */
  readonly usage?: boolean | undefined;
  /** For a policy given by name. @default 1 */
  readonly seed?: number | undefined;
  /** Keep the time of each token, 8 bytes a token. @default false */
  readonly keepTokens?: boolean | undefined;
  /** Hears every few hundred requests how many are finished. */
  readonly onProgress?: ((finished: number) => void) | undefined;
}

/** What one engine of the fleet did. */
export interface FleetEngineResult {
  readonly requests: number;
  /** Prompt tokens computed at first admission; recomputing after a preemption not counted. */
  readonly computedTokens: number;
  /** Found in the GPU's cache. */
  readonly cachedTokens: number;
  /** Found in a tier below it. */
  readonly externalTokens: number;
  /** Of its connector; undefined without one. */
  readonly tiers: TierStats | undefined;
  readonly outputTokens: number;
  readonly preemptions: number;
  /** Share of the time up to the last arrival in which a step ran; 1 if all arrive at 0 s. */
  readonly utilization: number;
}

/** What became of the requests; arrays are in arrival order. */
export interface FleetSimulationResult {
  readonly ttftSeconds: Float64Array;
  readonly e2eSeconds: Float64Array;
  /** Index of the engine that served the request. */
  readonly engineOf: Int32Array;
  readonly cachedTokens: Float64Array;
  /** Σ cached prompt tokens / Σ prompt tokens. */
  readonly hitRate: number;
  /** Most computed prompt tokens of an engine / their mean over engines. */
  readonly spread: number;
  readonly preemptions: number;
  readonly engines: readonly FleetEngineResult[];
  /** By request, when each of its tokens came; empty unless `keepTokens`. */
  readonly tokenSeconds: readonly (readonly number[])[];
  /** Requests in the fleet without a first token, as each request arrived. */
  readonly waitingAtArrival: Float64Array;
  /** Virtual time from first arrival to last token. */
  readonly seconds: number;
}

const progressEvery = 256;

/** Bytes of pseudo text per prompt token: one word, which is also the token's id. */
const bytesPerToken = 4;

interface Attempt {
  readonly index: number;
  readonly ticket: Ticket;
}

/** Plays the requests through the fleet until the last one is finished. */
export function simulateFleet(options: FleetSimulationOptions): FleetSimulationResult {
  const { requests, traceBlockTokens, speed = 1, reportSeconds = 5 } = options;
  const { networkSeconds = 0.0005, usage = true } = options;
  const clock = new ManualClock();
  const kvIndex = new KvIndex();
  const policy =
    typeof options.policy === 'string'
      ? createPolicy(options.policy, { random: seededRandom(options.seed ?? 1), kvIndex })
      : options.policy;
  const core = new RoutingCore({ policy, clock, recentPicksMax: 1 });

  const count = requests.length;
  const result = {
    ttftSeconds: new Float64Array(count),
    e2eSeconds: new Float64Array(count),
    engineOf: new Int32Array(count),
    cachedTokens: new Float64Array(count),
    waitingAtArrival: new Float64Array(count),
    tokenSeconds: options.keepTokens ? requests.map((): number[] => []) : [],
  };
  let [waiting, finished] = [0, 0];
  const busy = options.engines.map(() => 0);
  const lastArrival = (requests.at(-1)?.arrivalSeconds ?? 0) / speed;
  const attempts = new Map<string, Attempt>();
  const computed = options.engines.map(() => 0);
  const engines = options.engines.map(({ config, cost, createConnector }, i) => {
    core.addEndpoint({ url: urlOf(i), models: ['m'] });
    const admitted = ({ id, promptTokens }: EngineRequest, cachedTokens: number) => {
      const attempt = attempts.get(id) as Attempt;
      result.cachedTokens[attempt.index] = cachedTokens;
      computed[i] = (computed[i] as number) + promptTokens - cachedTokens;
    };
    const url = urlOf(i);
    const events: EngineListener = {
      blocksStored(request, first, count) {
        const { tokens } = (attempts.get(request.id) as Attempt).ticket.request;
        kvIndex.apply(url, [storedEvent(request, tokens, first, count, config.blockSize)]);
      },
      blockRemoved(key) {
        const blockHashes = [hashOf(key)];
        kvIndex.apply(url, [{ type: 'BlockRemoved', blockHashes, medium: 'GPU' }]);
      },
    };
    const listener = { admitted, ...(policy.needsTokens ? events : {}) };
    return new EngineModel({ config, cost, listener, connector: createConnector?.(i) });
  });
  const steps: (EngineStep | undefined)[] = engines.map(() => undefined);
  const indexOf = new Map(engines.map((_, i) => [urlOf(i), i]));

  const startStep = (i: number): void => {
    steps[i] ??= engines[i]?.schedule(clock.nowSeconds());
  };
  const endStep = (i: number): void => {
    const step = steps[i] as EngineStep;
    steps[i] = undefined;
    const now = clock.nowSeconds();
    const counted = Math.min(step.endSeconds, lastArrival) - step.startSeconds;
    busy[i] = (busy[i] as number) + Math.max(0, counted);
    engines[i]?.complete(step, (request, outputIndex) => {
      const attempt = attempts.get(request.id) as Attempt;
      const arrival = (requests[attempt.index] as SimulatedRequest).arrivalSeconds / speed;
      result.tokenSeconds[attempt.index]?.push(now + networkSeconds);
      if (outputIndex === 0) {
        waiting--;
        result.ttftSeconds[attempt.index] = now + networkSeconds - arrival;
        attempt.ticket.firstByte();
      }
      if (outputIndex + 1 === request.maxTokens) {
        result.e2eSeconds[attempt.index] = now + networkSeconds - arrival;
        attempts.delete(request.id);
        if (++finished % progressEvery === 0) options.onProgress?.(finished);
        attempt.ticket.finish({
          status: 'completed',
          promptTokens: request.promptTokens,
          cachedTokens: usage ? result.cachedTokens[attempt.index] : undefined,
          outputTokens: request.maxTokens,
        });
      }
      return false;
    });
    startStep(i);
  };
  const arrive = (index: number): void => {
    const simulated = requests[index] as SimulatedRequest;
    result.waitingAtArrival[index] = waiting++;
    const ticket = core.route(routingRequestOf(simulated, index, traceBlockTokens));
    const i = indexOf.get(ticket.pick.endpoint.url) as number;
    result.engineOf[index] = i;
    ticket.sent();
    attempts.set(String(index), { index, ticket });
    const { blockSize } = (options.engines[i] as SimulatedEngine).config;
    engines[i]?.add(engineRequestOf(simulated, index, traceBlockTokens, blockSize), 0);
    startStep(i);
  };
  const report = (): void => {
    engines.forEach((engine, i) => {
      const { running, waiting, kvUsage, blocksTotal } = engine.stats;
      const { blockSize: blockTokens } = engine.config;
      const atSeconds = clock.nowSeconds();
      core.setReported(urlOf(i), {
        atSeconds,
        running,
        waiting,
        kvUsage,
        blocksTotal,
        blockTokens,
      });
    });
  };

  let next = 0;
  let nextReport = reportSeconds > 0 ? 0 : Number.POSITIVE_INFINITY;
  while (next < count || attempts.size > 0) {
    let earliest = -1;
    let at = Number.POSITIVE_INFINITY;
    for (let i = 0; i < steps.length; i++) {
      const end = steps[i]?.endSeconds ?? engines[i]?.wakeSeconds ?? Number.POSITIVE_INFINITY;
      if (end < at) {
        at = end;
        earliest = i;
      }
    }
    const arrival =
      next < count
        ? (requests[next] as SimulatedRequest).arrivalSeconds / speed
        : Number.POSITIVE_INFINITY;
    const now = Math.min(at, arrival, nextReport);
    if (!Number.isFinite(now)) throw new Error('The fleet stands still with requests in flight');
    clock.advanceTo(now);
    if (now === nextReport) {
      report();
      nextReport += reportSeconds;
    } else if (now === arrival) arrive(next++);
    else if (steps[earliest]) endStep(earliest);
    else startStep(earliest);
  }

  const promptTokens = requests.reduce((sum, request) => sum + request.promptTokens, 0);
  const cachedTokens = result.cachedTokens.reduce((sum, tokens) => sum + tokens, 0);
  const meanComputed = computed.reduce((sum, tokens) => sum + tokens, 0) / computed.length;
  return {
    ...result,
    hitRate: cachedTokens / promptTokens,
    spread: Math.max(...computed) / meanComputed,
    engines: engines.map(({ stats }, i) => ({
      requests: stats.finished,
      computedTokens: computed[i] as number,
      cachedTokens: stats.prefixCacheHits,
      externalTokens: stats.externalCacheHits,
      tiers: stats.tiers,
      outputTokens: stats.outputTokens,
      preemptions: stats.preemptions,
      utilization: lastArrival > 0 ? (busy[i] as number) / lastArrival : 1,
    })),
    preemptions: engines.reduce((sum, { stats }) => sum + stats.preemptions, 0),
    seconds: clock.nowSeconds(),
  };
}

const urlOf = (engine: number) => `http://engine-${engine}`;

/** The prompt as pseudo text and as tokens: each block is its id, over and over. */
function routingRequestOf(
  { promptTokens, blockIds, session }: SimulatedRequest,
  index: number,
  traceBlockTokens: number,
): RoutingRequest {
  const words = new Uint32Array(blockIds.length * traceBlockTokens);
  blockIds.forEach((id, block) => {
    words.fill(id + 1, block * traceBlockTokens, (block + 1) * traceBlockTokens);
  });
  return {
    id: String(index),
    model: 'm',
    session,
    prompt: [new Uint8Array(words.buffer, 0, promptTokens * bytesPerToken)],
    promptTokens,
    tokens: words.subarray(0, promptTokens),
    outputTokensMax: undefined,
    stream: true,
  };
}

function engineRequestOf(
  { promptTokens, outputTokens, blockIds }: SimulatedRequest,
  index: number,
  traceBlockTokens: number,
  blockSize: number,
): EngineRequest {
  const perTraceBlock = traceBlockTokens / blockSize;
  const promptBlocks = Math.floor(promptTokens / blockSize);
  return {
    id: String(index),
    promptTokens,
    maxTokens: Math.max(1, outputTokens),
    priority: 0,
    arrivalSeconds: 0,
    blockKey(block) {
      if (block >= promptBlocks) return -(index * 65_536 + block) - 1;
      const id = blockIds[Math.floor(block / perTraceBlock)] as number;
      return id * perTraceBlock + (block % perTraceBlock);
    },
  };
}

/** The event that vLLM publishes for blocks of a prompt; blocks of the output get tokens of their own. */
function storedEvent(
  request: EngineRequest,
  promptTokens: ArrayLike<number> | undefined,
  first: number,
  count: number,
  blockSize: number,
): BlockStoredEvent {
  const hashes = Array.from({ length: count }, (_, i) => hashOf(request.blockKey(first + i)));
  const tokenIds = Uint32Array.from({ length: count * blockSize }, (_, i) => {
    const position = first * blockSize + i;
    return promptTokens?.[position] ?? Number(request.id) + position;
  });
  return {
    type: 'BlockStored',
    blockHashes: hashes,
    parentBlockHash: first === 0 ? undefined : hashOf(request.blockKey(first - 1)),
    tokenIds,
    blockSize,
    loraId: undefined,
    medium: 'GPU',
    loraName: undefined,
  };
}

/** Keys of output blocks are negative, hashes are not. */
function hashOf(key: BlockKey): bigint {
  return BigInt(key) + 2n ** 48n;
}
