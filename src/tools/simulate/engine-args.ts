// The arguments that a recorded vLLM was started with, as its meta.json has them.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import { precisionNamed } from '../../core/engine/index.ts';

const count = z.int().min(1);
/** Of vLLM's --dtype; `auto` leaves it to the checkpoint. */
const bytesByDtype = new Map<string, number>([
  ['bfloat16', 2],
  ['float16', 2],
  ['half', 2],
  ['float32', 4],
  ['float', 4],
  ['fp8', 1],
]);

const metaSchema = z.object({
  model: z.string().nullish(),
  vllm_version: z.string().nullish(),
  engine_kwargs: z.object({
    model: z.string().nullish(),
    tensor_parallel_size: count.nullish(),
    pipeline_parallel_size: count.nullish(),
    data_parallel_size: count.nullish(),
    enable_expert_parallel: z.boolean().nullish(),
    enable_chunked_prefill: z.boolean().nullish(),
    scheduling_policy: z.enum(['fcfs', 'priority']).nullish(),
    long_prefill_token_threshold: z.int().min(0).nullish(),
    num_gpu_blocks_override: count.nullish(),
    kv_cache_memory_bytes: z.number().positive().nullish(),
    dtype: z.string().nullish(),
    max_num_seqs: count.nullish(),
    max_num_batched_tokens: count.nullish(),
    max_model_len: count.nullish(),
    block_size: count.nullish(),
    gpu_memory_utilization: z.number().positive().max(1).nullish(),
    enable_prefix_caching: z.boolean().nullish(),
    kv_cache_dtype: z.string().nullish(),
    quantization: z.string().nullish(),
  }),
  kv_cache: z
    .object({
      num_gpu_blocks: count.nullish(),
      block_size: count.nullish(),
      gpu_memory_utilization: z.number().positive().max(1).nullish(),
      enable_prefix_caching: z.boolean().nullish(),
      kv_cache_memory_bytes: z.number().positive().nullish(),
    })
    .nullish(),
  hardware: z
    .object({
      device_name: z.string().nullish(),
      device_total_memory_bytes: z.number().positive().nullish(),
    })
    .nullish(),
});

/** What the file says; undefined where it does not. */
export interface EngineArgs {
  readonly model: string;
  readonly tensorParallelSize: number;
  readonly pipelineParallelSize: number;
  readonly dataParallelSize: number;
  readonly expertParallel: boolean;
  readonly maxNumSeqs: number | undefined;
  readonly maxNumBatchedTokens: number | undefined;
  readonly maxModelLen: number | undefined;
  readonly blockSize: number;
  /** vLLM's default of that version where the file does not say: 0.9 before 0.20, 0.92 since. */
  readonly gpuMemoryUtilization: number;
  readonly enablePrefixCaching: boolean;
  readonly enableChunkedPrefill: boolean | undefined;
  readonly schedulingPolicy: 'fcfs' | 'priority' | undefined;
  readonly longPrefillTokenThreshold: number | undefined;
  /** Bytes of one KV value; undefined: those of the model. */
  readonly kvBytesPerValue: number | undefined;
  /** vLLM's --quantization, or a precision in the model's recorded name; empty: as the checkpoint. */
  readonly quantization: string;
  /** Bytes of a value by --dtype; undefined: those of the model. */
  readonly dtypeBytes: number | undefined;
  readonly kvCacheMemoryBytes: number | undefined;
  /** As vLLM counted them when it started. */
  readonly numGpuBlocks: number | undefined;
  readonly deviceName: string | undefined;
  readonly deviceMemoryBytes: number | undefined;
}

/**
 * Reads a `meta.json` of LLMServingSim's bench: `engine_kwargs` under vLLM's names and, where they
 * were recorded, `kv_cache` and `hardware`.
 *
 * @throws {InputError} If the file cannot be read or says something else; names the key.
 */
export async function readEngineArgs(path: string): Promise<EngineArgs> {
  const parsed = metaSchema.safeParse(withKwargs(await readJson(path)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; expected is a meta.json ` +
        'with engine_kwargs under the names of vllm serve (model, max_num_seqs, …).',
    );
  }
  const { engine_kwargs: given, kv_cache: kv, hardware, vllm_version: version } = parsed.data;
  const model = given.model ?? parsed.data.model;
  if (typeof model !== 'string') {
    throw new InputError(`${path}: engine_kwargs.model: there is none; it must name the model.`);
  }
  return {
    model,
    pipelineParallelSize: given.pipeline_parallel_size ?? 1,
    enableChunkedPrefill: given.enable_chunked_prefill ?? undefined,
    schedulingPolicy: given.scheduling_policy ?? undefined,
    longPrefillTokenThreshold: given.long_prefill_token_threshold ?? undefined,
    tensorParallelSize: given.tensor_parallel_size ?? 1,
    dataParallelSize: given.data_parallel_size ?? 1,
    expertParallel: given.enable_expert_parallel ?? false,
    maxNumSeqs: given.max_num_seqs ?? undefined,
    maxNumBatchedTokens: given.max_num_batched_tokens ?? undefined,
    maxModelLen: given.max_model_len ?? undefined,
    blockSize: given.block_size ?? kv?.block_size ?? 16,
    gpuMemoryUtilization:
      given.gpu_memory_utilization ??
      kv?.gpu_memory_utilization ??
      (/^0\.1?\d(\.|$)/.test(version ?? '0.19') ? 0.9 : 0.92),
    enablePrefixCaching: given.enable_prefix_caching ?? kv?.enable_prefix_caching ?? true,
    kvBytesPerValue: given.kv_cache_dtype?.startsWith('fp8') ? 1 : undefined,
    quantization: given.quantization ?? precisionNamed(model) ?? '',
    dtypeBytes: bytesByDtype.get(given.dtype?.replace('torch.', '') ?? ''),
    kvCacheMemoryBytes: given.kv_cache_memory_bytes ?? kv?.kv_cache_memory_bytes ?? undefined,
    numGpuBlocks: given.num_gpu_blocks_override ?? kv?.num_gpu_blocks ?? undefined,
    deviceName: hardware?.device_name ?? undefined,
    deviceMemoryBytes: hardware?.device_total_memory_bytes ?? undefined,
  };
}

/**
 * The arguments may also lie at the top, or be called `engine_args`; and names may have dashes, as
 * on a command line.
 */
function withKwargs(file: unknown): unknown {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return file;
  const named = file as Record<string, unknown>;
  const given =
    named['engine_kwargs'] ?? named['engine_args'] ?? ('max_num_seqs' in named ? named : undefined);
  if (typeof given !== 'object' || given === null) return file;
  const kwargs = Object.entries(given).map(([key, value]) => [
    key.replace(/^--/, '').replaceAll('-', '_'),
    value,
  ]);
  return { ...named, engine_kwargs: Object.fromEntries(kwargs) };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`Cannot read the engine arguments ${path}: ${reason}.`, { cause });
  }
}
