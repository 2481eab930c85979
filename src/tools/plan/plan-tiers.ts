// KV tiers of the simulated engines of a plan, with costs between the newest and the oldest measured version.
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
import { noModelError } from './model-errors.ts';

export interface PlanTiers {
  readonly kvOffload: OffloadKind;
  /** Host memory for KV cache, in GiB per engine. */
  readonly offloadGiB: number;
  readonly layout: EngineLayout;
  readonly engines: number;
  /** Cost of the tier: 0 for the newest measured vLLM, 1 for the oldest. */
  readonly cost: number;
}

/** The store that all engines with LMCache share, as keys of `cacheserverSpec`. */
export interface SharedStore {
  /** 10^9 bytes. */
  readonly capacityGB: number;
  /** 10^9 bit/s each way, of all engines together. */
  readonly linkGbps: number;
  /** Time to look up one chunk. */
  readonly lookupMs: number;
}

const giga = 1e9;
/** Round trip to the server within one network, as in simulations of a values file. */
const storeLatencySeconds = 0.2e-3;

/**
 * Returns the store of a plan: a pod with as much host memory for KV cache as an engine, so that it can be scheduled
 * where an engine can, behind a link of 15 Gbit/s, LMCache's own measurement of a central store. The values file
 * contains these values, so a simulation of the file has the same store.
 */
export function sharedStoreOf(offloadGiB: number): SharedStore {
  const capacityGB = Math.ceil((offloadGiB * 2 ** 30) / giga);
  return { capacityGB, linkGbps: 15, lookupMs: 0.1 };
}

/** Returns the median costs of a tier, as keys of `kvTiers`. */
export function middleCosts(kind: 'native' | 'lmcache', { gpu }: Pick<EngineLayout, 'gpu'>) {
  const stepMs = between(measuredStepSeconds[kind], noModelError.tierCost) * 1000;
  if (kind === 'lmcache') return { stepMs };
  return { hostGBps: nativeBytesPerSecond(gpu, noModelError.tierCost) / giga, stepMs };
}

/** Returns a factory of connectors; undefined without a tier. */
export function connectorsOf(
  { kvOffload, offloadGiB, layout, engines, cost }: PlanTiers,
  blockSize: number,
): (() => KvConnector) | undefined {
  // Stages of a pipeline copy in parallel, so the copies of one stage count.
  const { model, gpu, tensorParallelSize } = layout;
  const hostBytes = offloadGiB * 2 ** 30;
  if (kvOffload === 'none' || hostBytes <= 0) return undefined;
  const placed = { model, gpu, tensorParallelSize };
  const stepSeconds = between(measuredStepSeconds[kvOffload], cost);
  if (kvOffload === 'native') {
    const link = { bytesPerSecond: nativeBytesPerSecond(gpu, cost) };
    const config = nativeOffloadFor(placed, { hostBytes, blockSize, link, stepSeconds });
    return () => new NativeOffload({ config, blockSize });
  }
  const config = lmcacheFor(placed, { hostBytes, blockSize, stepSeconds });
  const stores = engines < 2 ? [] : [storeOf(sharedStoreOf(offloadGiB), config.chunkBytes)];
  return () => new Lmcache({ config, blockSize, stores });
}

function storeOf({ capacityGB, linkGbps, lookupMs }: SharedStore, chunkBytes: number): ChunkStore {
  const link = { bytesPerSecond: (linkGbps / 8) * giga, latencySeconds: storeLatencySeconds };
  return new ChunkStore({
    ...{ name: 'shared', chunksMax: Math.floor((capacityGB * giga) / chunkBytes), chunkBytes },
    ...{ read: link, write: link, lookupSeconds: lookupMs / 1000 },
  });
}

/** Rate of the link to host memory. vLLM 0.11 reached less of it than later versions. */
function nativeBytesPerSecond(gpu: EngineLayout['gpu'], cost: number): number {
  const { bytesPerSecond } = hostLink(gpu);
  const slowest = Math.min(bytesPerSecond, copyByLayerBytesPerSecond);
  return bytesPerSecond * (slowest / bytesPerSecond) ** cost;
}

/** Interpolates sorted values at a share of their range. */
function between(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.min(Math.floor(at), sorted.length - 2);
  const [low, high] = [sorted[below] as number, sorted[below + 1] as number];
  return low + (high - low) * (at - below);
}
