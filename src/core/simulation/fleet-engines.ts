// Engines of a fleet from the catalogue, and traffic with sessions for them.
import {
  findGpu,
  findModel,
  type GpuSpec,
  type ModelSpec,
  NativeOffload,
  nativeOffloadFor,
  type StepCostModel,
} from '../engine/index.ts';
import { type StepCostSource, sizeEngine } from '../sizing/index.ts';
import type { TraceRequest } from '../traces/index.ts';
import type { SimulatedRequest } from './fleet-options.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

/** Tokens per block id of the Mooncake trace. */
export const traceBlockTokens = 512;
/** Coarser than vLLM's 16, for speed; hits differ by less than 64 tokens per request. */
const simulatedBlockSize = 64;

export interface FleetOptions {
  readonly engines: number;
  /** A name of the catalogue, or a shape. @default 'Qwen3-8B' */
  readonly model?: string | ModelSpec;
  /** The same of a GPU. @default 'H100-80GB' */
  readonly gpu?: string | GpuSpec;
  /** GPUs that share each layer. @default 1 */
  readonly tensorParallelSize?: number | undefined;
  /** Groups of GPUs that each hold a part of the layers. @default 1 */
  readonly pipelineParallelSize?: number | undefined;
  /** @default 'calibrated' */
  readonly stepCost?: StepCostSource | undefined;
  /** Cores of one vLLM server, each simulated as an engine; see `EngineSpec`. @default 1 */
  readonly dataParallelSize?: number | undefined;
  /** KV cache of each engine in blocks of the trace; default: what fits on the GPU. */
  readonly cacheTraceBlocks?: number | undefined;
  /** Factor on the step times of the first engine. @default 1 */
  readonly firstSlowedBy?: number | undefined;
  /** @default true */
  readonly enablePrefixCaching?: boolean;
  /** Tokens per block id of the trace. @default traceBlockTokens */
  readonly blockTokens?: number;
  /** Host memory of each engine for native KV offload; default none. */
  readonly hostBytes?: number;
  /**
   * Longest request that an engine accepts, in tokens, if that many fit; the default is what the Mooncake
   * trace needs, with its prompts of up to 126,195 tokens.
   */
  readonly maxModelLen?: number;
}

/**
 * Engines as `vllm serve` would size them, with one difference: every request that fits the KV cache is
 * simulated, regardless of the context that the model was made for.
 */
export function fleetOf(options: FleetOptions): SimulatedEngine[] {
  const { model = 'Qwen3-8B', gpu = 'H100-80GB', cacheTraceBlocks, firstSlowedBy = 1 } = options;
  const { tensorParallelSize, pipelineParallelSize, stepCost, hostBytes } = options;
  const { blockTokens = traceBlockTokens, maxModelLen = 131_072 } = options;
  const blockSize = Math.min(simulatedBlockSize, blockTokens);
  const engine = sizeEngine({
    model: typeof model === 'string' ? findModel(model) : model,
    gpu: typeof gpu === 'string' ? findGpu(gpu) : gpu,
    ...{ tensorParallelSize, pipelineParallelSize, stepCost },
    dataParallelSize: options.dataParallelSize,
    numGpuBlocks: cacheTraceBlocks && Math.ceil((cacheTraceBlocks * blockTokens) / blockSize),
    scheduler: { blockSize, enablePrefixCaching: options.enablePrefixCaching, maxModelLen },
    ...{ allowsLongContext: true, fitsContext: true },
  });
  const { config, cost } = engine;
  const slowed: StepCostModel = {
    stepSeconds: (load) => cost.stepSeconds(load) * firstSlowedBy,
  };
  const offload =
    hostBytes === undefined ? undefined : nativeOffloadFor(engine, { hostBytes, blockSize });
  const createConnector = offload && (() => new NativeOffload({ blockSize, config: offload }));
  return Array.from({ length: options.engines }, (_, i) => ({
    ...{ config, cost: i === 0 && firstSlowedBy !== 1 ? slowed : cost, createConnector },
  }));
}

/**
 * Turns the conversations of a trace without session ids into sessions: block 0 is in all requests, so
 * the block after it identifies a conversation.
 */
export function withSessions(requests: readonly TraceRequest[]): SimulatedRequest[] {
  return requests.map((request, i) => ({
    ...request,
    session: String(request.blockIds[1] ?? `alone-${i}`),
  }));
}
