// The networks over which engines transfer KV cache to each other, by name: the rate of one GPU's link in
// each direction.
import { InputError } from '../../base/index.ts';
import type { GpuSpec } from './gpus.ts';

/** One GPU's link, each direction. */
export interface KvLink {
  readonly bytesPerSecond: number;
  /** Latency of one transfer, in addition to the time of its bytes. */
  readonly latencySeconds: number;
}

const giga = 1e9;
/** 10^9 bits per second on the wire, in bytes. */
const gigabit = giga / 8;
/**
 * Share of the line rate that RDMA reaches: Mooncake's transfer engine 87 of 100 GB/s (4 × 200 Gbps, its
 * paper, arXiv 2407.00079); NIXLBench 22.96 of 25 GB/s (ai-dynamo/nixl#2276, reads of 64 MiB).
 */
const rdmaShare = 0.87;
/** The same for TCP at 100 Gbps and more: 2.4 times slower than RDMA on the same wires (same paper). */
const fastTcpShare = rdmaShare / 2.4;
/** TCP where the wire is the bottleneck: 1,448 bytes of 1,538 in Ethernet frames of 1,500. */
const slowTcpShare = 1448 / 1538;
/**
 * Time that vLLM needs to post a small read: 0.67 ms on average for 72 descriptors, in the log line of
 * vllm-project/vllm#41230. Reads of many scattered blocks take longer to post, 6.7 ms for 1,785
 * descriptors in #50913; set `linkLatencyMs` for these.
 */
const rdmaLatencySeconds = 0.7e-3;
/** The same, plus the round trip of a request for bytes through two kernels: estimated. */
const tcpLatencySeconds = 1e-3;

const named: Readonly<Record<string, KvLink>> = {
  'rdma-400g': { bytesPerSecond: 400 * gigabit * rdmaShare, latencySeconds: rdmaLatencySeconds },
  'rdma-200g': { bytesPerSecond: 200 * gigabit * rdmaShare, latencySeconds: rdmaLatencySeconds },
  'rdma-100g': { bytesPerSecond: 100 * gigabit * rdmaShare, latencySeconds: rdmaLatencySeconds },
  'tcp-100g': { bytesPerSecond: 100 * gigabit * fastTcpShare, latencySeconds: tcpLatencySeconds },
  'tcp-25g': { bytesPerSecond: 25 * gigabit * slowTcpShare, latencySeconds: tcpLatencySeconds },
  'tcp-10g': { bytesPerSecond: 10 * gigabit * slowTcpShare, latencySeconds: tcpLatencySeconds },
};

/** `nvlink` is the GPU's own link, so both pools are in one NVLink domain. */
export const kvLinkNames: readonly string[] = ['nvlink', ...Object.keys(named)];

/**
 * @param link A name, or the rate of one GPU in 10^9 bytes per second, as a number or as digits.
 * @throws {InputError} If it is neither, or the GPU has no NVLink.
 * @example kvLink('rdma-400g', findGpu('H100-80GB')).bytesPerSecond; // 43.5e9
 */
export function kvLink(link: string | number, gpu: GpuSpec): KvLink {
  const gigabytes = Number(link);
  if (gigabytes > 0 && link !== '') {
    return { bytesPerSecond: gigabytes * giga, latencySeconds: rdmaLatencySeconds };
  }
  if (link === 'nvlink') {
    if (gpu.link.kind !== 'NVLink') {
      throw new InputError(`The GPU ${gpu.name} has no NVLink; use another link for KV cache.`);
    }
    const bytesPerSecond = gpu.link.bytesPerSecond * gpu.efficiency.link;
    return { bytesPerSecond, latencySeconds: rdmaLatencySeconds };
  }
  const found = named[link];
  if (found !== undefined) return found;
  throw new InputError(
    `No link for KV cache is called "${link}": it is one of ${kvLinkNames.join(', ')}, or a rate in GB/s.`,
  );
}
