// Engines of a fleet from the catalogue, and traffic with sessions for them.
import {
  checkHeadsShared,
  type EngineConfig,
  engineConfigFor,
  findGpu,
  findModel,
  type GpuSpec,
  type ModelSpec,
  NativeOffload,
  nativeOffloadFor,
  pipelinedConfig,
  pipelinedCost,
  rooflineCost,
  type StepCostModel,
} from '../engine/index.ts';
import type { TraceRequest } from '../traces/index.ts';
import type { SimulatedEngine, SimulatedRequest } from './fleet-options.ts';

/** Tokens per block id of the Mooncake trace. */
export const traceBlockTokens = 512;
/** Coarser than vLLM's 16, for speed; hits differ by less than 64 tokens a request. */
const simulatedBlockSize = 64;

export interface FleetOptions {
  readonly engines: number;
  /** A name of the catalogue, or a shape. @default 'Qwen3-8B' */
  readonly model?: string | ModelSpec;
  /** The same of a GPU. @default 'H100-80GB' */
  readonly gpu?: string | GpuSpec;
  /** GPUs that share each layer. @default 1 */
  readonly tensorParallelSize?: number | undefined;
  /** Groups of GPUs with a part of the layers each. @default 1 */
  readonly pipelineParallelSize?: number | undefined;
  /** Of all layers on one group of GPUs. @default the roofline's */
  readonly stepCost?: StepCostModel | undefined;
  /** KV cache of each engine in blocks of the trace; what fits on the GPU unless given. */
  readonly cacheTraceBlocks?: number | undefined;
  /** The first engine's steps take this many times as long. @default 1 */
  readonly firstSlowedBy?: number | undefined;
  /** @default true */
  readonly enablePrefixCaching?: boolean;
  /** Tokens per block id of the trace. @default traceBlockTokens */
  readonly blockTokens?: number;
  /** Host memory of each engine for native KV offload; none unless given. */
  readonly hostBytes?: number;
  /**
   * Longest request that an engine takes, in tokens, if so many fit; what the Mooncake trace with its
   * prompts of up to 126,195 tokens needs unless given.
   */
  readonly maxModelLen?: number;
}

/** Engines as `vllm serve` would size them. */
export function fleetOf(options: FleetOptions): SimulatedEngine[] {
  const { model: modelGiven = 'Qwen3-8B', gpu: gpuGiven = 'H100-80GB' } = options;
  const model = typeof modelGiven === 'string' ? findModel(modelGiven) : modelGiven;
  const gpu = typeof gpuGiven === 'string' ? findGpu(gpuGiven) : gpuGiven;
  const { cacheTraceBlocks, firstSlowedBy = 1, enablePrefixCaching = true } = options;
  const { blockTokens = traceBlockTokens, maxModelLen = 131_072 } = options;
  const blockSize = Math.min(simulatedBlockSize, blockTokens);
  const numGpuBlocks = cacheTraceBlocks && Math.ceil((cacheTraceBlocks * blockTokens) / blockSize);
  const { tensorParallelSize = 1, pipelineParallelSize: stages = 1 } = options;
  checkHeadsShared(model, tensorParallelSize);
  const layout = { model, gpu, tensorParallelSize, pipelineParallelSize: stages };
  const batch: EngineConfig = engineConfigFor(
    { ...layout, ...(numGpuBlocks ? { numGpuBlocks } : {}) },
    { blockSize, enablePrefixCaching },
  );
  const fittingTokens = (batch.numGpuBlocks - 1) * blockSize;
  const config = pipelinedConfig(
    { ...batch, maxModelLen: Math.min(maxModelLen, fittingTokens) },
    stages,
  );
  const { stepCost = rooflineCost({ model, gpu, tensorParallelSize }) } = options;
  const cost = pipelinedCost(stepCost, {
    ...{ stages, model, linkBytesPerSecond: gpu.link.bytesPerSecond },
  });
  const slowed: StepCostModel = {
    stepSeconds: (load) => cost.stepSeconds(load) * firstSlowedBy,
  };
  const { hostBytes } = options;
  const offload =
    hostBytes === undefined ? undefined : nativeOffloadFor(layout, { hostBytes, blockSize });
  const createConnector = offload && (() => new NativeOffload({ blockSize, config: offload }));
  return Array.from({ length: options.engines }, (_, i) => ({
    ...{ config, cost: i === 0 && firstSlowedBy !== 1 ? slowed : cost, createConnector },
  }));
}

/**
 * A trace without session ids, with its conversations as sessions: block 0 is in all requests, so
 * the block after it tells a conversation.
 */
export function withSessions(requests: readonly TraceRequest[]): SimulatedRequest[] {
  return requests.map((request, i) => ({
    ...request,
    session: String(request.blockIds[1] ?? `alone-${i}`),
  }));
}
