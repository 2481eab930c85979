// The settings of a vLLM engine that its scheduler and its block pool read, under vLLM's names.
import { counted, InputError } from '../base/index.ts';

/** Names and meaning are those of vLLM's flags of the same name. */
export interface EngineConfig {
  /** Tokens per KV block. */
  readonly blockSize: number;
  /** KV blocks of the engine, including vLLM's null block. */
  readonly numGpuBlocks: number;
  /** Maximum number of requests in the running batch. */
  readonly maxNumSeqs: number;
  /** Caps the running batch below `maxNumSeqs`; equal to it by default. */
  readonly maxNumActiveSeqs: number;
  /** Token budget of one step. */
  readonly maxNumBatchedTokens: number;
  /** Maximum length of prompt and output together, in tokens. */
  readonly maxModelLen: number;
  readonly enablePrefixCaching: boolean;
  readonly enableChunkedPrefill: boolean;
  readonly schedulingPolicy: 'fcfs' | 'priority';
  /** Maximum tokens of one prompt in one step; 0 = no limit. Ignored while a request is alone. */
  readonly longPrefillTokenThreshold: number;
  /** Share of the blocks left free at admission, if something runs. */
  readonly watermark: number;
  /** Admit a request only if its whole uncached prompt fits, not just its first chunk. */
  readonly schedulerReserveFullIsl: boolean;
  /** Maximum number of LoRA adapters in one step; applies only to requests that name one. */
  readonly maxLoras: number;
}

/** vLLM's defaults for settings that depend on neither model nor GPU. */
const defaults = {
  blockSize: 16,
  enablePrefixCaching: true,
  enableChunkedPrefill: true,
  schedulingPolicy: 'fcfs',
  longPrefillTokenThreshold: 0,
  watermark: 0,
  schedulerReserveFullIsl: true,
  maxLoras: 1,
} as const satisfies Partial<EngineConfig>;

/** Required settings, and optional ones. */
export type EngineConfigInput = Partial<EngineConfig> &
  Pick<EngineConfig, 'numGpuBlocks' | 'maxModelLen'>;

/** The scheduler defaults of `vllm serve`, which depend on the GPU. */
export interface SchedulerDefaults {
  readonly maxNumBatchedTokens: number;
  readonly maxNumSeqs: number;
}

/**
 * `vllm serve`'s defaults by the memory of one GPU (vLLM 0.32, `engine/arg_utils.py`).
 *
 * @param gpu.memoryBytes Memory of one GPU; undefined for the CPU build.
 * @param gpu.isA100 vLLM gives an A100 the small budget regardless of its memory.
 * @param gpu.worldSize Engine processes of the CPU build.
 */
export function schedulerDefaults(gpu: {
  readonly memoryBytes: number | undefined;
  readonly isA100?: boolean;
  readonly worldSize?: number;
}): SchedulerDefaults {
  const { memoryBytes, isA100 = false, worldSize = 1 } = gpu;
  const gibibytes = (memoryBytes ?? 0) / 2 ** 30;
  if (memoryBytes === undefined) {
    return { maxNumBatchedTokens: 2048 * worldSize, maxNumSeqs: 128 * worldSize };
  }
  if (gibibytes >= 160) return { maxNumBatchedTokens: 16_384, maxNumSeqs: 1024 };
  if (gibibytes >= 70 && !isA100) return { maxNumBatchedTokens: 8192, maxNumSeqs: 1024 };
  return { maxNumBatchedTokens: 2048, maxNumSeqs: 256 };
}

/**
 * Fills in vLLM's defaults and checks the result.
 *
 * @param input Blocks and context length are required; scheduler limits default to those of a GPU below
 *   70 GiB (see `schedulerDefaults` for the others).
 * @throws {InputError} If a value is out of range or two settings exclude each other.
 */
export function defaultEngineConfig(input: EngineConfigInput): EngineConfig {
  const limits = schedulerDefaults({ memoryBytes: 0 });
  const maxNumSeqs = input.maxNumSeqs ?? limits.maxNumSeqs;
  const config = { ...defaults, ...limits, maxNumActiveSeqs: maxNumSeqs, ...input, maxNumSeqs };
  checkEngineConfig(config);
  return config;
}

/** @throws {InputError} If a value is out of range or two settings exclude each other. */
export function checkEngineConfig(config: EngineConfig): void {
  const whole = [
    ['blockSize', 1],
    ['numGpuBlocks', 2],
    ['maxNumSeqs', 1],
    ['maxNumActiveSeqs', 1],
    ['maxNumBatchedTokens', 1],
    ['maxModelLen', 2],
    ['longPrefillTokenThreshold', 0],
    ['maxLoras', 1],
  ] as const;
  for (const [name, least] of whole) {
    const value = config[name];
    if (!Number.isInteger(value) || value < least) {
      throw new InputError(
        `Engine setting ${name} is ${value}; it must be an integer of at least ${least}`,
      );
    }
  }
  if (!(config.watermark >= 0 && config.watermark < 1)) {
    throw new InputError(`Engine setting watermark is ${config.watermark}; it must be in [0, 1)`);
  }
  if (config.maxNumActiveSeqs > config.maxNumSeqs) {
    throw new InputError(
      `Engine setting maxNumActiveSeqs (${config.maxNumActiveSeqs}) is above maxNumSeqs ` +
        `(${config.maxNumSeqs}); lower the first or raise the second`,
    );
  }
  if (!config.enableChunkedPrefill && config.maxNumBatchedTokens < config.maxModelLen) {
    throw new InputError(
      `Without chunked prefill maxNumBatchedTokens (${config.maxNumBatchedTokens}) must be at ` +
        `least maxModelLen (${config.maxModelLen}), or a long prompt could never run`,
    );
  }
  const poolTokens = (config.numGpuBlocks - 1) * config.blockSize;
  if (poolTokens < config.maxModelLen) {
    throw new InputError(
      `One request of maxModelLen ${config.maxModelLen} tokens does not fit in the KV cache of ` +
        `${poolTokens} tokens (${counted(config.numGpuBlocks - 1, 'block')} of ${config.blockSize}); lower ` +
        'maxModelLen or give more blocks',
    );
  }
}
