// Orders of LMCache's controller to an emulated LMCache: empty a tier, keep a prompt in host memory, move it to another engine.
import type { Lmcache, LmcacheStore } from '../../../core/engine/index.ts';
import { openOrders, type PromptMove } from '../../../io/lmcache-worker/index.ts';
import type { ChunkNames } from './chunk-names.ts';
import type { ControllerReport } from './controller-report.ts';
import type { OutsideWork } from './outside-work.ts';
import type { PeerStore } from './peer-store.ts';

export interface OrderedTiers {
  readonly connector: Lmcache;
  readonly disks: readonly LmcacheStore[];
  readonly names: ChunkNames;
  readonly report: ControllerReport;
  readonly chunkTokens: number;
  /** Undefined without P2P. */
  readonly peers: PeerStore | undefined;
}

/** LMCache's own: a pin that nobody takes away ends after this time (`pin_timeout_sec`). */
const pinSeconds = 300;

/**
 * Listens for orders.
 *
 * @param url Of the engine.
 * @param port 0 for any free one.
 * @returns The port.
 * @throws {InputError} If the port cannot be listened on.
 */
export async function takeOrders(
  url: string,
  port: number,
  tiers: OrderedTiers,
  outside: OutsideWork,
): Promise<number> {
  const { connector, disks, names, report, chunkTokens } = tiers;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const orders = await openOrders(host, port, {
    clear(location) {
      if (location === 'LocalCPUBackend') return connector.clearLocal() * chunkTokens;
      if (location !== 'LocalDiskBackend') return 0;
      const chunks = disks.flatMap(({ residencies }) => residencies);
      for (const disk of disks) disk.clear();
      report.emptied(['LocalDiskBackend']);
      return chunks.reduce((sum, one) => sum + one.chunks, 0) * chunkTokens;
    },
    pin(location, tokens) {
      if (location !== 'LocalCPUBackend') return 0;
      let pinned = 0;
      for (const hash of names.hashesOf(tokens)) {
        const key = report.inHostMemory(hash);
        if (key === undefined || !connector.pin(key, pinSeconds)) break;
        pinned++;
      }
      return pinned * chunkTokens;
    },
    move: async (move) => (await moved(move, tiers)) * chunkTokens,
  });
  outside.onClose(() => void orders.close());
  return orders.port;
}

/**
 * Moves the beginning of a prompt from host memory to that of another engine.
 *
 * @returns Its chunks here.
 * @throws {Error} If LMCache would refuse it, too, or the other engine is gone or late.
 */
async function moved(
  { location, toUrl, toLocation, tokens, copies }: PromptMove,
  { connector, names, report, peers }: OrderedTiers,
): Promise<number> {
  if (peers === undefined) throw new Error('P2P is not enabled');
  if (toLocation !== 'LocalCPUBackend') throw new Error('Only support moving to cpu for now.');
  if (location !== 'LocalCPUBackend') return 0;
  const hashes: bigint[] = [];
  for (const hash of names.hashesOf(tokens)) {
    const key = report.inHostMemory(hash);
    if (key === undefined || !connector.lend(key)) break;
    hashes.push(hash);
  }
  if (hashes.length === 0) return 0;
  await peers.offer(toUrl, hashes);
  if (copies) return hashes.length;
  for (const hash of hashes) {
    const key = report.inHostMemory(hash);
    if (key !== undefined) connector.drop(key);
  }
  return hashes.length;
}
