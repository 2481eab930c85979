// The pool of chunks that results from `--kv-offloading-size` and the connector's extra configuration.
import { InputError } from '../../base/index.ts';
import { type EvictionPolicyName, evictionPolicies } from './eviction.ts';
import type { TransferLinkOptions } from './transfer-link.ts';

export interface NativeOffloadConfig {
  /** Chunks that fit in host memory. */
  readonly chunksMax: number;
  /** GPU blocks per chunk. */
  readonly blocksPerChunk: number;
  /** Host memory of a chunk, summed over the engine's GPUs. */
  readonly chunkBytes: number;
  /** Bytes of one block that are copied, summed over the GPUs. */
  readonly blockBytes: number;
  /** The part of these that crosses the link of one GPU. */
  readonly blockBytesPerGpu: number;
  readonly eviction: EvictionPolicyName;
  /** Number of offers before a chunk is stored; below 2: the first. */
  readonly storeThreshold: number;
  /** Maximum keys whose offers are counted; vLLM's `max_tracker_size`. */
  readonly trackedMax?: number;
  /** Whether to exclude generated tokens. */
  readonly promptOnly: boolean;
  /** The link between one GPU and host memory, in one direction. */
  readonly link: TransferLinkOptions;
  /** Time added to each step, whatever it moves. */
  readonly stepSeconds: number;
}

export interface NativeOffloadSettings {
  /** Host memory of the engine, summed over its GPUs. */
  readonly hostBytes: number;
  readonly blockBytesPerGpu: number;
  /** GPUs of the engine. @default 1 */
  readonly gpus?: number;
  /** Whether all GPUs hold the same bytes (MLA under tensor parallelism): then one copy is kept. @default false */
  readonly isReplicated?: boolean;
  readonly link: TransferLinkOptions;
  /** @default 1 */
  readonly blocksPerChunk?: number;
  /** @default 'lru' */
  readonly eviction?: string;
  /** @default 0 */
  readonly storeThreshold?: number;
  readonly trackedMax?: number;
  /** @default true */
  readonly promptOnly?: boolean;
  /** @default 0: none was measured with vLLM 0.19, a third of a millisecond with 0.11 */
  readonly stepSeconds?: number;
}

/** vLLM rounds a chunk up to the page size of its shared memory region. */
const pageBytes = 4096;

/**
 * Sizes the pool as vLLM does: bytes // (bytes of a chunk, rounded up to a page).
 *
 * @see vllm/v1/kv_offload/cpu/spec.py
 * @throws {InputError} If a setting is out of range.
 */
export function nativeOffloadConfig(settings: NativeOffloadSettings): NativeOffloadConfig {
  const { hostBytes, blockBytesPerGpu, gpus = 1, isReplicated = false, link } = settings;
  const { blocksPerChunk = 1, eviction = 'lru', storeThreshold = 0, trackedMax } = settings;
  const { promptOnly = true, stepSeconds = 0 } = settings;
  if (!(hostBytes > 0)) {
    throw new InputError(
      `The host memory for KV offloading is ${hostBytes} bytes; it must be more than 0`,
    );
  }
  if (!Number.isInteger(blocksPerChunk) || blocksPerChunk < 1) {
    throw new InputError(
      `blocks_per_chunk is ${blocksPerChunk}; it must be a whole number of at least 1`,
    );
  }
  if (!(stepSeconds >= 0)) {
    throw new InputError(
      `The time that offloading adds to a step is ${stepSeconds} s; it must not be negative`,
    );
  }
  const policy = evictionPolicies.find((name) => name === eviction);
  if (policy === undefined) {
    throw new InputError(
      `eviction_policy "${eviction}" is not known; known: ${evictionPolicies.join(', ')}`,
    );
  }
  const copies = isReplicated ? 1 : gpus;
  const bytes = blockBytesPerGpu * copies * blocksPerChunk;
  const chunkBytes = Math.ceil(bytes / pageBytes) * pageBytes;
  return {
    chunksMax: Math.floor(hostBytes / chunkBytes),
    blockBytes: blockBytesPerGpu * gpus,
    ...{ blocksPerChunk, chunkBytes, blockBytesPerGpu, eviction: policy, storeThreshold },
    ...(trackedMax === undefined ? {} : { trackedMax }),
    ...{ promptOnly, link, stepSeconds },
  };
}
