// Orders of LMCache's controller to an emulated LMCache: empty a tier, keep a prompt in host memory.
import type { Lmcache, LmcacheStore } from '../../../core/engine/index.ts';
import { openOrders } from '../../../io/lmcache-worker/index.ts';
import type { ChunkNames } from './chunk-names.ts';
import type { ControllerReport } from './controller-report.ts';
import type { OutsideWork } from './outside-work.ts';

export interface OrderedTiers {
  readonly connector: Lmcache;
  readonly disks: readonly LmcacheStore[];
  readonly names: ChunkNames;
  readonly report: ControllerReport;
  readonly chunkTokens: number;
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
  { connector, disks, names, report, chunkTokens }: OrderedTiers,
  outside: OutsideWork,
): Promise<number> {
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
  });
  outside.onClose(() => void orders.close());
  return orders.port;
}
