// The link between a GPU and host memory, and the pool of KV blocks that uses it.
import { type NativeOffloadConfig, nativeOffloadConfig } from '../tiers/native-offload-config.ts';
import type { TransferLinkOptions } from '../tiers/transfer-link.ts';
import type { GpuSpec } from './gpus.ts';
import type { LayoutOptions } from './memory.ts';
import { kvBytesPerTokenPerGpu } from './model-spec.ts';
import { typicalStepSeconds } from './tier-costs.ts';

const giga = 1e9;

/**
 * Achieved rate of copies in one direction over PCIe x16, bytes per second, by generation. 4.0: 25 GB/s
 * of 32. 5.0: 50 GB/s of 64, the lower end of what H100 hosts show; vLLM's own measurement is 83.4 GB/s
 * in both directions at once, with blocks of 2 MB.
 *
 * @see https://blog.vllm.ai/2026/01/08/kv-offloading-connector.html
 */
const pcieBytesPerSecond = { 4: 25 * giga, 5: 50 * giga } as const;

/** GPUs of the catalogue on PCIe 4.0, per their datasheets; the others have 5.0 (a T4 has 3.0). */
const pcie4 = new Set([
  ...['A100-80GB', 'A100-40GB', 'A100-PCIe-80GB', 'A800', 'A30', 'A40', 'A10'],
  ...['L4', 'L40', 'L40S', 'RTX-6000-Ada', 'RTX-A6000', 'RTX4090', 'RTX3090', 'T4'],
]);

/** The link between one GPU and the memory of its host, in one direction. */
export function hostLink(gpu: GpuSpec): TransferLinkOptions {
  // The CPU build keeps its KV cache in host memory: a copy is read and written there.
  if (gpu.memoryBytes === undefined) return { bytesPerSecond: gpu.memoryBytesPerSecond / 2 };
  return { bytesPerSecond: pcieBytesPerSecond[pcie4.has(gpu.name) ? 4 : 5] };
}

export interface OffloadSettings {
  /** Host memory of one engine, summed over its GPUs, as `--kv-offloading-size`. */
  readonly hostBytes: number;
  /** Tokens per block of the engine. */
  readonly blockSize: number;
  readonly blocksPerChunk?: number;
  readonly eviction?: string;
  readonly storeThreshold?: number;
  readonly trackedMax?: number;
  readonly promptOnly?: boolean;
  /** Time added to each step. @default `typicalStepSeconds.native` */
  readonly stepSeconds?: number;
  /** Overrides the GPU's own link. */
  readonly link?: TransferLinkOptions;
}

/**
 * The native offload of an engine with this layout.
 *
 * @throws {InputError} If a setting is out of range.
 */
export function nativeOffloadFor(
  { model, gpu, tensorParallelSize = 1 }: LayoutOptions,
  { blockSize, link = hostLink(gpu), ...settings }: OffloadSettings,
): NativeOffloadConfig {
  return nativeOffloadConfig({
    stepSeconds: typicalStepSeconds.native,
    ...settings,
    blockBytesPerGpu: blockSize * kvBytesPerTokenPerGpu(model, tensorParallelSize),
    gpus: tensorParallelSize,
    isReplicated: model.latentAttention !== undefined,
    link,
  });
}
