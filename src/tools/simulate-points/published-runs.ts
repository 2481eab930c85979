// How a published benchmark started vLLM, where a row's columns tell which benchmark measured it.
//
// Most rows of aiconfigurator's file are runs of InferenceX (until 2025: InferenceMAX), whose launch scripts are public
// with their history: https://github.com/SemiAnalysisAI/InferenceX, benchmarks/**/MODEL_PRECISION_GPU*.sh. vLLM's
// version, which the rows carry, tells between scripts of different dates.
import type { GpuSpec, WeightPrecision } from '../../core/engine/index.ts';

/** Where the script departs from vLLM's defaults. */
export interface ServerFlags {
  /** `--kv-cache-dtype fp8`, or a checkpoint that specifies it. */
  readonly hasFp8Kv?: boolean;
  readonly gpuMemoryUtilization?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  /** `--max-cudagraph-capture-size`; 0: steps with prefills never run in CUDA graphs. */
  readonly graphTokensMax?: number;
  /** `--async-scheduling`, before vLLM made it the default. */
  readonly plansAhead?: boolean;
  /** Whether the script fuses all-reduces with norms, before vLLM did so by default. */
  readonly fusesAllReduce?: boolean;
  /**
   * Whether ten requests for each sequence of a batch that the row does not name were sent at once; `maxNumSeqs` is then
   * the middle of the possible batches.
   */
  readonly isBatchUnknown?: boolean;
}

export interface PublishedRow {
  readonly model: string;
  readonly precision: WeightPrecision;
  readonly version: string;
  readonly expertParallelSize: number;
  readonly promptTokens: number;
  /** Over all groups. */
  readonly clients: number;
}

/**
 * The budget of vLLM's server on GPUs of 70 GiB and more until 0.19; later versions give those of 160 GiB twice as
 * much.
 */
const serverBudget = 8192;

/** Returns the flags of the benchmark that measured the row; undefined if it is none of those known. */
export function publishedFlags(row: PublishedRow, gpu: GpuSpec): ServerFlags | undefined {
  const architecture = gpu.kin ?? gpu.name;
  if (/gpt-oss-120b/i.test(row.model)) return gptOss(row, architecture);
  if (/Llama-3\.[13]-70B/i.test(row.model)) return llama70b(row, architecture);
  if (/MiniMax-M2\.5/i.test(row.model)) return miniMax(row, architecture);
  if (/Kimi-K2\.5/i.test(row.model)) return kimi(row);
  return undefined;
}

/** The batches that a sweep's servers allowed (`--max-num-seqs=$CONC`), and the one in their middle. */
export const sweptBatches = { least: 4, middle: 16, most: 64 } as const;

/**
 * On Hopper, the server allowed as many sequences as the sweep had clients. From 2025-11-21 to 12-08 the client's limit
 * was 512 by mistake (https://github.com/SemiAnalysisAI/InferenceX/pull/310): ten requests for each sequence of the
 * batch came at once, and the row does not name the batch.
 */
function gptOss(row: PublishedRow, architecture: string): ServerFlags {
  const common = { graphTokensMax: 2048, maxNumBatchedTokens: serverBudget, plansAhead: true };
  if (architecture === 'B200') {
    // The fp8 KV cache came with 0.11.2: https://github.com/SemiAnalysisAI/InferenceX/pull/273
    return { ...common, maxNumSeqs: 512, hasFp8Kv: row.version !== '', fusesAllReduce: true };
  }
  const isMistaken = row.clients === 512 && minorOf(row.version) < 12;
  return {
    ...common,
    maxNumSeqs: isMistaken ? sweptBatches.middle : row.clients,
    isBatchUnknown: isMistaken,
  };
}

/**
 * Llama-3.3-70B under 3.1's name, with vLLM 0.10.2. On Blackwell only decodes run in CUDA graphs
 * (`"cudagraph_mode": "FULL_DECODE_ONLY"`). The script of H100 asks for an fp8 KV cache, too, but the rows of its two
 * GPUs have the same TPOT with 32 and with 64 clients, as the space of a bf16 cache gives.
 */
function llama70b({ clients }: PublishedRow, architecture: string): ServerFlags {
  const isBlackwell = architecture === 'B200';
  return {
    ...{ maxNumBatchedTokens: serverBudget, plansAhead: true },
    maxNumSeqs: isBlackwell ? 512 : clients,
    hasFp8Kv: isBlackwell || architecture === 'H200',
    ...(isBlackwell && { graphTokensMax: 0 }),
  };
}

function miniMax(
  { precision, version, promptTokens }: PublishedRow,
  architecture: string,
): ServerFlags {
  if (architecture !== 'B200') {
    const gpuMemoryUtilization = architecture === 'H200' ? 0.95 : 0.9;
    return { gpuMemoryUtilization, maxNumBatchedTokens: serverBudget };
  }
  // Since 2026-04-03, with 0.19: https://github.com/SemiAnalysisAI/InferenceX/pull/947. The nightly build was measured
  // before its script had these flags.
  if (minorOf(version) >= 19 && !/nightly/.test(version)) {
    return { hasFp8Kv: true, graphTokensMax: 2048, maxNumBatchedTokens: 2 * promptTokens };
  }
  const isNvfp4 = precision === 'fp4';
  return {
    ...{ maxNumBatchedTokens: serverBudget, hasFp8Kv: isNvfp4 },
    gpuMemoryUtilization: isNvfp4 ? 0.9 : 0.95,
  };
}

/**
 * The NVFP4 checkpoint specifies an fp8 KV cache. Without expert parallelism it was measured after 2026-04-20, with the
 * flags of https://github.com/SemiAnalysisAI/InferenceX/pull/1047.
 */
function kimi({ precision, clients, expertParallelSize, promptTokens }: PublishedRow): ServerFlags {
  const common = { maxNumSeqs: clients, maxNumBatchedTokens: serverBudget, fusesAllReduce: true };
  if (precision === 'int4') return { ...common, gpuMemoryUtilization: 0.95 };
  if (expertParallelSize > 1) return { ...common, hasFp8Kv: true };
  return {
    ...{ ...common, hasFp8Kv: true },
    ...{ maxNumBatchedTokens: 2 * promptTokens, graphTokensMax: 2048 },
  };
}

/** 99 for a nightly build, 0 for a row without a version, which is older than 0.12. */
export function minorOf(version: string): number {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (minor === undefined) return /nightly|dev/.test(version) ? 99 : 0;
  return Number(major) > 0 ? 99 : Number(minor);
}
