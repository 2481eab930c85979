// The tiers below memory that a server was told to use, as one.
import { type Clock, seededRandom } from '../../core/base/index.ts';
import { type LowerTier, TierChain } from '../../core/cache/index.ts';
import { createEvictionOrder, type EvictionName } from '../../core/eviction/index.ts';
import { type DiskFiles, type DiskStats, DiskTier, lockFolder } from '../../io/disk/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { type ObjectStats, ObjectTier, s3Objects } from '../../io/object-store/index.ts';

/** Share of the memory whose values may wait to be written to one tier; they cannot be evicted meanwhile. */
const waitingShare = 1 / 4;

/** A folder for values below memory. */
export interface CacheDisk {
  readonly folder: string;
  /** Bound of all files. */
  readonly bytesMax: number;
  /** Which values go first. @default the least recently used ones */
  readonly eviction?: EvictionName | undefined;
  /** @default those of this machine */
  readonly files?: DiskFiles;
}

/** A bucket for values below memory and disk. */
export interface CacheBucket {
  readonly bucket: string;
  /** Of all names; empty, or with a `/` at its end. */
  readonly prefix: string;
  /** Of another server than Amazon's. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** Time for one call. @default 10 s */
  readonly timeoutMs?: number | undefined;
  /** A value above this size is stored and loaded in parts of it. @default 8 MiB */
  readonly partBytes?: number | undefined;
}

/** The tiers below memory. */
export interface CacheTiers {
  /** Undefined without any. */
  readonly below: LowerTier | undefined;
  readonly disk: { readonly stats: DiskStats } | undefined;
  readonly objects: { readonly stats: ObjectStats } | undefined;
  /** Resolves when all that waits is written, or cannot be. */
  flushed(): Promise<void>;
  close(): void;
}

/** @throws {InputError} If the folder cannot be used, or another server uses it. */
export async function openTiers(options: {
  readonly disk?: CacheDisk | undefined;
  readonly s3?: CacheBucket | undefined;
  readonly memoryBytes: number;
  readonly wallClock: Clock;
  /** Told of what is not written. @default nobody */
  readonly log?: Pick<Logger, 'warning'> | undefined;
}): Promise<CacheTiers> {
  const common = {
    ...{ wallClock: options.wallClock, log: options.log },
    waitingBytesMax: options.memoryBytes * waitingShare,
  };
  const lock = options.disk && (await lockFolder(options.disk.folder));
  let disk: DiskTier | undefined;
  let objects: ObjectTier | undefined;
  try {
    disk = options.disk && (await openDisk(options.disk, common));
    objects = options.s3 && (await openBucket(options.s3, common));
  } catch (error) {
    lock?.release();
    throw error;
  }
  const tiers = [disk, objects].filter((tier) => tier !== undefined);
  return {
    below: disk !== undefined && objects !== undefined ? new TierChain(disk, objects) : tiers[0],
    disk,
    objects,
    async flushed() {
      await Promise.all(tiers.map((tier) => tier.flushed()));
    },
    close() {
      for (const tier of tiers) tier.close();
      lock?.release();
    },
  };
}

/** What both tiers are given. */
interface TierCommon {
  readonly wallClock: Clock;
  readonly waitingBytesMax: number;
  readonly log: Pick<Logger, 'warning'> | undefined;
}

function openDisk({ eviction, ...disk }: CacheDisk, common: TierCommon): Promise<DiskTier> {
  const createOrder = () => createEvictionOrder(eviction ?? 'lru');
  return DiskTier.open({ ...disk, ...common, createOrder });
}

async function openBucket(
  { prefix, timeoutMs, partBytes, ...where }: CacheBucket,
  common: TierCommon,
): Promise<ObjectTier> {
  const tier = new ObjectTier({
    ...{ ...common, prefix, objects: await s3Objects(where) },
    random: seededRandom(Date.now()),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(partBytes === undefined ? {} : { partBytes }),
  });
  // A listing may take minutes, or never end; values are found as it goes.
  tier.start();
  return tier;
}
