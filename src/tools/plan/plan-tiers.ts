// The KV tier below each engine of a simulated plan, at a cost between the newest measured and the oldest.
import {
  ChunkStore,
  copyByLayerBytesPerSecond,
  hostLink,
  type KvConnector,
  Lmcache,
  lmcacheFor,
  measuredStepSeconds,
  NativeOffload,
  nativeOffloadFor,
} from '../../core/engine/index.ts';
import type { OffloadKind } from '../../core/plan/index.ts';
import type { EngineLayout } from './layout.ts';

export interface PlanTiers {
  readonly kvOffload: OffloadKind;
  /** Host memory for KV, per engine. */
  readonly offloadGiB: number;
  readonly layout: EngineLayout;
  readonly engines: number;
  /** 0: as the newest vLLM that was measured; 1: as the oldest. */
  readonly cost: number;
}

/**
 * What all engines of an LMCache fleet share: a store behind one link, as LMCache's own figures for its
 * RESP client and Redis 8.2 have it (5.91 GB/s out, 4.36 GB/s in, 8 connections).
 */
const sharedStore = { readBytesPerSecond: 5.91e9, writeBytesPerSecond: 4.36e9 };

/** Undefined without a tier. */
export function connectorsOf(
  { kvOffload, offloadGiB, layout, engines, cost }: PlanTiers,
  blockSize: number,
): (() => KvConnector) | undefined {
  // Of an engine in stages, copies of one stage count: those of the others run beside them.
  const { model, gpu, tensorParallelSize } = layout;
  const hostBytes = offloadGiB * 2 ** 30;
  if (kvOffload === 'none' || hostBytes <= 0) return undefined;
  const placed = { model, gpu, tensorParallelSize };
  const stepSeconds = between(measuredStepSeconds[kvOffload], cost);
  if (kvOffload === 'native') {
    const { bytesPerSecond } = hostLink(gpu);
    // vLLM 0.11 reached so much less of the same link.
    const slowest = Math.min(bytesPerSecond, copyByLayerBytesPerSecond);
    const link = { bytesPerSecond: bytesPerSecond * (slowest / bytesPerSecond) ** cost };
    const config = nativeOffloadFor(placed, { hostBytes, blockSize, link, stepSeconds });
    return () => new NativeOffload({ config, blockSize });
  }
  const config = lmcacheFor(placed, { hostBytes, blockSize, stepSeconds });
  const stores =
    engines < 2
      ? []
      : [
          new ChunkStore({
            name: 'server',
            chunksMax: config.localChunksMax * engines,
            chunkBytes: config.chunkBytes,
            read: { bytesPerSecond: sharedStore.readBytesPerSecond },
            write: { bytesPerSecond: sharedStore.writeBytesPerSecond },
          }),
        ];
  return () => new Lmcache({ config, blockSize, stores });
}

/** At a share of the way through sorted values, straight between neighbours. */
function between(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.min(Math.floor(at), sorted.length - 2);
  const [low, high] = [sorted[below] as number, sorted[below + 1] as number];
  return low + (high - low) * (at - below);
}
