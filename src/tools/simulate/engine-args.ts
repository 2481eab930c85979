// The arguments that a recorded vLLM was started with, as its meta.json has them.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import { precisionNamed } from '../../core/engine/index.ts';
import { fileProblem } from '../../io/paths/index.ts';

/** Whole numbers may be spelled as on vLLM's command line: 8192, 8k (8,000), 8K (8,192), 1M. */
const whole = z.preprocess(wholeOf, z.int());
const count = z.preprocess(wholeOf, z.int().min(1));
const bytes = z.preprocess(bytesOf, z.number().positive());
const share = z.preprocess(wholeOf, z.number().positive().max(1));
const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
);
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
  engine_kwargs: z.looseObject({
    model: z.string().nullish(),
    tensor_parallel_size: count.nullish(),
    pipeline_parallel_size: count.nullish(),
    data_parallel_size: count.nullish(),
    enable_expert_parallel: flag.nullish(),
    enable_chunked_prefill: flag.nullish(),
    scheduling_policy: z.enum(['fcfs', 'priority']).nullish(),
    long_prefill_token_threshold: whole.nullish(),
    num_gpu_blocks_override: count.nullish(),
    kv_cache_memory_bytes: bytes.nullish(),
    dtype: z.string().nullish(),
    max_num_seqs: count.nullish(),
    max_num_batched_tokens: count.nullish(),
    // -1 and auto: the longest that fits.
    max_model_len: z
      .preprocess((value) => (value === 'auto' ? -1 : wholeOf(value)), z.int().min(-1))
      .nullish(),
    block_size: count.nullish(),
    gpu_memory_utilization: share.nullish(),
    enable_prefix_caching: flag.nullish(),
    kv_cache_dtype: z.string().nullish(),
    quantization: z.string().nullish(),
  }),
  kv_cache: z
    .object({
      num_gpu_blocks: count.nullish(),
      block_size: count.nullish(),
      gpu_memory_utilization: share.nullish(),
      enable_prefix_caching: flag.nullish(),
      kv_cache_memory_bytes: bytes.nullish(),
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
  /** What the file says and the model leaves out, one sentence each. */
  readonly notes: readonly string[];
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
  // A count that was recorded with other settings than the arguments say is not theirs.
  const isRecorded = (
    ['block_size', 'gpu_memory_utilization', 'kv_cache_memory_bytes'] as const
  ).every((key) => given[key] == null || kv?.[key] == null || given[key] === kv[key]);
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
    maxModelLen: (given.max_model_len ?? 0) > 0 ? (given.max_model_len ?? undefined) : undefined,
    blockSize: given.block_size ?? kv?.block_size ?? 16,
    gpuMemoryUtilization:
      given.gpu_memory_utilization ??
      kv?.gpu_memory_utilization ??
      (/^0\.1?\d(\.|$)/.test(version ?? '0.19') ? 0.9 : 0.92),
    enablePrefixCaching: given.enable_prefix_caching ?? kv?.enable_prefix_caching ?? true,
    kvBytesPerValue: kvBytesOf(given.kv_cache_dtype ?? 'auto', path),
    quantization: given.quantization ?? precisionNamed(model) ?? '',
    dtypeBytes: bytesByDtype.get(given.dtype?.replace('torch.', '') ?? ''),
    kvCacheMemoryBytes: given.kv_cache_memory_bytes ?? kv?.kv_cache_memory_bytes ?? undefined,
    numGpuBlocks:
      given.num_gpu_blocks_override ?? (isRecorded ? kv?.num_gpu_blocks : undefined) ?? undefined,
    notes: notesOn(given, isRecorded || kv?.num_gpu_blocks == null),
    deviceName: hardware?.device_name ?? undefined,
    deviceMemoryBytes: hardware?.device_total_memory_bytes ?? undefined,
  };
}

/** Arguments of vLLM that change what a run does, and not what this model of it does. */
const leftOut: Readonly<Record<string, string>> = {
  speculative_config: 'speculative decoding is not modelled',
  enable_lora: 'the time that adapters cost is not modelled',
  kv_transfer_config: 'KV tiers are modelled by simulate -f only',
  kv_offloading_size: 'KV tiers are modelled by simulate -f only',
  cpu_offload_gb: 'weights in host memory are not modelled',
  async_scheduling: 'the host time per step stands for what planning ahead does not hide',
  enforce_eager: 'step times are those of the profile, with CUDA graphs or without',
};

function notesOn(given: Readonly<Record<string, unknown>>, isRecorded: boolean): string[] {
  const ignored = Object.entries(leftOut).filter(([key]) => {
    const value = given[key];
    return value !== undefined && value !== null && value !== false && value !== 0;
  });
  return [
    ...ignored.map(([key, what]) => `${key} has no effect here: ${what}.`),
    ...(isRecorded
      ? []
      : ['The recorded count of KV blocks is of other settings than engine_kwargs; computed.']),
  ];
}

function kvBytesOf(dtype: string, path: string): number | undefined {
  const name = dtype.replace('torch.', '');
  if (name === 'auto') return undefined;
  if (name.startsWith('fp8')) return 1;
  const bytes = bytesByDtype.get(name);
  if (bytes !== undefined) return bytes;
  throw new InputError(
    `${path}: engine_kwargs.kv_cache_dtype: "${dtype}" is not modelled; modelled are auto, bfloat16, ` +
      'float16, float32, fp8, fp8_e4m3 and fp8_e5m2.',
  );
}

const decimal: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const binary: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function wholeOf(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, number, unit = ''] = /^\s*(-?[\d.]+)\s*([kmgtKMGT]?)\s*$/.exec(value) ?? [];
  if (number === undefined) return value;
  return Math.round(Number(number) * (decimal[unit] ?? binary[unit] ?? 1) * 1e9) / 1e9;
}

/** Bytes may also end in `GiB`, `GB` and the like. */
function bytesOf(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, number, unit] = /^\s*([\d.]+)\s*([KMGT]i?)B\s*$/i.exec(value) ?? [];
  if (number === undefined || unit === undefined) return wholeOf(value);
  const letter = unit[0] as string;
  const table = unit.length > 1 ? binary[letter.toUpperCase()] : decimal[letter.toLowerCase()];
  return Number(number) * (table ?? 1);
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
    throw new InputError(`Cannot read the engine arguments ${path}: ${fileProblem(cause)}.`, {
      cause,
    });
  }
}
