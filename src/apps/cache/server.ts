// The cache server: one store behind two protocols.
import type { Server } from 'node:net';
import type { Clock } from '../../core/base/index.ts';
import {
  MemoryStore,
  PageChecksum,
  type TenantQuota,
  TieredStore,
} from '../../core/cache/index.ts';
import { createEvictionOrder, type EvictionName } from '../../core/eviction/index.ts';
import type { LmLayoutName } from '../../core/lm/index.ts';
import type { DiskStats } from '../../io/disk/index.ts';
import { listenOn } from '../../io/listen/index.ts';
import { createCoordinator } from '../../io/lmcache-coordinator/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { ObjectStats } from '../../io/object-store/index.ts';
import { declareSpanMetrics, type OpenTracing } from '../../io/otlp/index.ts';
import { createAdminServer } from './admin-server.ts';
import { declareDisk, declareObjects, declareTenants } from './cache-metrics.ts';
import { CacheTls, type CacheTlsOptions } from './cache-tls.ts';
import { type ClientLimits, Clients } from './clients.ts';
import { type CacheController, ControllerService } from './controller-service.ts';
import type { StoreLink } from './front/index.ts';
import { KeySpaces } from './key-spaces.ts';
import { noPeers, peerAccess } from './peer-access.ts';
import { declarePeers, hostOfMember, type PeerOptions, Peers } from './peers.ts';
import { spoken } from './protocols.ts';
import type { ClusterRedirects } from './resp-service.ts';
import { type CacheBucket, type CacheDisk, openTiers } from './tiers.ts';
import { listenOnPath } from './unix-socket.ts';
import { type CacheUser, Users } from './users.ts';

export interface CacheOptions extends ClientLimits {
  readonly host: string;
  /** Port of `lm://`, which has no users; 0 for any free one. @default none */
  readonly lmPort?: number | undefined;
  /** Layout of the headers of `lm://`. @default '186' */
  readonly lmLayout?: LmLayoutName | undefined;
  /** Port of RESP; 0 for any free one. */
  readonly respPort: number;
  /** For both ports and other servers; the Unix socket and the HTTP ports are plain. @default none */
  readonly tls?: CacheTlsOptions | undefined;
  /** Path of a Unix socket for RESP; only this user may connect. @default none */
  readonly unixSocket?: string | undefined;
  /** The front from which clients come, in place of both ports and the Unix socket. @default none */
  readonly link?: StoreLink | undefined;
  /** Port of /metrics, /health, /ready and /stats; 0 for any free one. @default none */
  readonly httpPort?: number | undefined;
  /** Port of LMCache's coordinator; 0 for any free one. @default none */
  readonly coordinatorPort?: number | undefined;
  /** LMCache's controller. @default none */
  readonly controller?: CacheController | undefined;
  /** Bytes of values. */
  readonly memoryBytes: number;
  /** Which values in memory go first. @default 'lru' */
  readonly eviction?: EvictionName | undefined;
  /** Largest value. @default the memory */
  readonly valueBytesMax?: number | undefined;
  /** @default none */
  readonly disk?: CacheDisk | undefined;
  /** @default none */
  readonly s3?: CacheBucket | undefined;
  /** Time in which values of one command come from below memory; after it, they are misses. @default 250 ms */
  readonly readTimeoutMs?: number | undefined;
  /** What RESP clients must know; `lm://` has no passwords. */
  readonly password?: string | undefined;
  /** RESP clients beside the default user, who then needs the password. @default none */
  readonly users?: readonly CacheUser[] | undefined;
  /** Bounds of tenants; each user's key space is one of them. @default none */
  readonly tenants?: readonly TenantQuota[] | undefined;
  /** Other servers that share the keys; `self` is known once the port is open. @default none */
  readonly peers?:
    | Omit<PeerOptions, 'password' | 'timeoutMs' | 'waitingBytesMax' | 'tlsContext' | 'log'>
    | undefined;
  /** Whether clients of Redis Cluster are sent to the servers that keep a key. @default those that ask for the slots */
  readonly redirects?: ClusterRedirects | undefined;
  /** Told of values that are not written and of other servers that come and go. @default nobody */
  readonly log?: Pick<Logger, 'info' | 'warning'> | undefined;
  /** Stays open when the server is closed. @default no spans */
  readonly tracing?: OpenTracing | undefined;
  readonly clock: Clock;
  /** Seconds since 1970; for times of expiry that clients give as such. */
  readonly wallClock: Clock;
  /** The same without jumps; for times of expiry that are compared later, and for last signs of life. @default `wallClock` */
  readonly steadyUnixClock?: Clock | undefined;
}

export interface CacheServer {
  readonly store: TieredStore;
  /** Undefined without a disk. */
  readonly diskStats: DiskStats | undefined;
  /** Undefined without a bucket. */
  readonly objectStats: ObjectStats | undefined;
  /** Undefined without other servers. */
  readonly peers: Peers | undefined;
  /** Where clients connect, e.g. `lm://127.0.0.1:65432`. */
  readonly urls: readonly string[];
  /**
   * Accepts no more connections, and closes each one when it has no request in progress.
   *
   * @param timeoutMs Time after which the rest is closed.
   */
  drain(timeoutMs: number): Promise<void>;
  /** Closes all connections at once. */
  close(): Promise<void>;
}

/**
 * Starts the server.
 *
 * @throws {InputError} If a port cannot be used.
 */
export async function startCache(options: CacheOptions): Promise<CacheServer> {
  const { host, memoryBytes: bytesMax, clock, wallClock, password } = options;
  const { valueBytesMax, eviction = 'lru', steadyUnixClock = wallClock } = options;
  const tls = options.tls && (await CacheTls.open(options.tls));
  const tiers = await openTiers({ ...options, wallClock: steadyUnixClock });
  const { disk, objects } = tiers;
  const { allocate, of: checksum } = new PageChecksum();
  const memory = new MemoryStore({
    ...{ bytesMax, valueBytesMax, clock, allocate, checksum },
    tenants: options.tenants,
    createOrder: () => createEvictionOrder(eviction),
  });
  const store = new TieredStore(memory, steadyUnixClock, tiers.below);
  const peers = options.peers && new Peers(store, peerOptions(options.peers, options, tls));
  store.others = peers;
  const { readTimeoutMs = defaultReadTimeoutMs, tracing } = options;
  const spaces = new KeySpaces(store, { readTimeoutMs, tracing });
  const clients = new Clients(options, memory);
  if (disk !== undefined) declareDisk(clients.metrics.registry, disk);
  if (objects !== undefined) declareObjects(clients.metrics.registry, objects);
  if (peers !== undefined) declarePeers(clients.metrics.registry, peers);
  if (options.tracing) declareSpanMetrics(clients.metrics.registry, options.tracing.exporter);
  declareTenants(clients.metrics.registry, memory);
  const watchesChains = eviction === 'prefix' || options.disk?.eviction === 'prefix';
  const users = new Users(options.users ?? [], password);
  const { redirects = 'auto', lmLayout } = options;
  const cluster = () => peers?.cluster;
  const access = options.peers && peerAccess(options.peers.key, peerNames(options.peers, peers));
  const speak = spoken({
    ...{ spaces, users, wallClock, watchesChains, redirects, cluster, lmLayout },
    peerAccess: access ?? noPeers,
    valueTurns: clients.valueTurns,
  });
  const lm = clients.serve('lm', speak.lm, tls);
  const resp = clients.serve('resp', speak.resp, tls);
  const unix = clients.serve('resp', speak.resp);
  const startSeconds = clock.nowSeconds();
  const http = createAdminServer({
    registry: clients.metrics.registry,
    isReady: () => !clients.isStopping,
    stats: () => ({
      uptimeSeconds: Math.round(clock.nowSeconds() - startSeconds),
      clientBytes: clients.memoryBytes,
      connections: { lm: clients.count('lm'), resp: clients.count('resp') },
      memory: store.stats,
      tenants: memory.tenants.all.map(({ quota, stats }) => ({ name: quota.name, ...stats })),
      disk: disk?.stats,
      s3: objects?.stats,
      peers: peers && { members: peers.members, gone: peers.gone, ...peers.stats },
    }),
  });
  const coordinator = createCoordinator(steadyUnixClock);
  const controller = new ControllerService(clients.metrics.registry);
  const servers = [lm, resp, unix, http, coordinator.server];
  const urls: string[] = [];
  try {
    if (options.link === undefined) {
      const [lmScheme, respScheme] = tls === undefined ? ['lm', 'redis'] : ['lms', 'rediss'];
      if (options.lmPort !== undefined) {
        urls.push(`${lmScheme}://${host}:${await listenOn(lm, host, options.lmPort, '--port')}`);
      }
      urls.push(
        `${respScheme}://${host}:${await listenOn(resp, host, options.respPort, '--resp-port')}`,
      );
      if (options.unixSocket !== undefined) {
        await listenOnPath(unix, options.unixSocket);
        urls.push(`unix://${options.unixSocket}`);
      }
    }
    if (options.httpPort !== undefined) {
      urls.push(`http://${host}:${await listenOn(http, host, options.httpPort, '--http-port')}`);
    }
    if (options.coordinatorPort !== undefined) {
      const port = await listenOn(
        coordinator.server,
        host,
        options.coordinatorPort,
        '--coordinator-port',
      );
      urls.push(`coordinator=http://${host}:${port}`);
    }
    if (options.controller !== undefined) {
      urls.push(...(await controller.open(options.controller, host, steadyUnixClock)));
    }
    options.link?.start({
      adopt: (protocol, handle, handedOver) =>
        clients.adopt(protocol, speak[protocol], handle, handedOver),
      ...{ spaces, urls },
    });
  } catch (error) {
    coordinator.close();
    await controller.close();
    tls?.stop();
    await Promise.all(servers.map((server) => closed(server)));
    tiers.close();
    throw error;
  }
  const close = async () => {
    clients.destroy();
    tls?.stop();
    tiers.close();
    peers?.close();
    coordinator.close();
    coordinator.server.closeAllConnections();
    http.closeAllConnections();
    await controller.close();
    await Promise.all(servers.map((server) => closed(server)));
  };
  return {
    store,
    get diskStats() {
      return disk?.stats;
    },
    get objectStats() {
      return objects?.stats;
    },
    urls,
    peers,
    async drain(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const isOver = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          clients.destroy();
          resolve();
        }, timeoutMs);
      });
      const hurry = new AbortController();
      isOver.then(() => hurry.abort());
      await peers?.leave(hurry.signal);
      await Promise.race([peers?.flushed(), isOver]);
      tls?.stop();
      clients.finish();
      // The HTTP port stays: /ready says that the server stops.
      await Promise.all([closed(lm), closed(resp), closed(unix), clients.gone()]);
      await Promise.race([tiers.flushed(), isOver]);
      clearTimeout(timer);
      await close();
    },
    close,
  };
}

/** Share of the memory whose values may wait to be sent to other servers. */
const peersWaitingShare = 1 / 8;

function peerOptions(
  given: NonNullable<CacheOptions['peers']>,
  { password, readTimeoutMs = defaultReadTimeoutMs, memoryBytes, log }: CacheOptions,
  tls: CacheTls | undefined,
): PeerOptions {
  // A client waits for all servers together as long as for one disk.
  const timeoutMs = Math.max(1000, readTimeoutMs);
  return {
    ...{ ...given, password, log, timeoutMs, waitingBytesMax: memoryBytes * peersWaitingShare },
    tlsContext: tls && (() => tls.peerContext),
  };
}

/** What a certificate of another server may be valid for. */
function peerNames({ serverName }: Pick<PeerOptions, 'serverName'>, peers: Peers | undefined) {
  return () => (serverName === undefined ? (peers?.members ?? []).map(hostOfMember) : [serverName]);
}

/** LMCache gives up a worker whose GET takes seconds. */
const defaultReadTimeoutMs = 250;

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
