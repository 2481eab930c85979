// LMCache's families on the engine's page, with its names: what the emulation counts of them.
import type { CacheLookup, TierStats } from '../../../core/engine/index.ts';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { LmcachePeerStats, LmcacheRemoteStats, OutsideWork } from '../tiers/outside-work.ts';

/** Tokens per second; the bounds of LMCache 0.5. */
const speedBounds = [
  1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536,
];

export class LmcacheMetrics {
  readonly #families: ReturnType<typeof declare>;
  readonly #tokensPerByte: number;

  /**
   * @param tokensPerByte Tokens of a byte of KV cache.
   * @param outside Counters of the servers and engines that it exchanges chunks with.
   */
  constructor(
    registry: MetricsRegistry,
    modelName: string,
    tokensPerByte: number,
    outside: OutsideWork,
  ) {
    this.#tokensPerByte = tokensPerByte;
    this.#families = declare(registry, { model_name: modelName, worker_id: '0', role: 'worker' });
    registry.onRender(() => {
      this.#showRemotes(
        outside.stats.map((stats) => stats()),
        outside.peerStats.map((stats) => stats()),
        outside.wrongChunks.reduce((total, wrong) => total + wrong(), 0),
      );
    });
    outside.lent = (tokens, seconds) => {
      this.#families.peerTime.observe(seconds);
      if (seconds > 0) this.#families.peerSpeed.observe(tokens / seconds);
    };
  }

  onLookup({ tokens, external }: CacheLookup): void {
    const { lookups, lookupTokens, lookupHits, retrieves, requested, hits } = this.#families;
    const hit = external?.tokens ?? 0;
    lookups.inc(1);
    lookupTokens.inc(tokens);
    lookupHits.inc(hit);
    if (hit === 0) return;
    retrieves.inc(1);
    requested.inc(hit);
    hits.inc(hit);
  }

  onTransfer(direction: 'load' | 'store', bytes: number, seconds: number): void {
    const { retrieveSpeed, storeSpeed, stores, stored } = this.#families;
    const tokens = bytes * this.#tokensPerByte;
    const speed = direction === 'load' ? retrieveSpeed : storeSpeed;
    if (seconds > 0) speed.observe(tokens / seconds);
    if (direction === 'load') return;
    stores.inc(1);
    stored.inc(Math.round(tokens));
  }

  onStep({ tiers }: TierStats): void {
    for (const { name, bytes } of tiers) {
      if (name === 'cpu') this.#families.localBytes.set(bytes);
      if (name === 'disk') this.#families.diskBytes.set(bytes);
    }
  }

  #showRemotes(
    remotes: readonly LmcacheRemoteStats[],
    peers: readonly LmcachePeerStats[],
    wrongOnDisk: number,
  ): void {
    const sum = (of: (stats: LmcacheRemoteStats) => number) =>
      remotes.reduce((total, stats) => total + of(stats), 0);
    const peerSum = (of: (stats: LmcachePeerStats) => number) =>
      peers.reduce((total, stats) => total + of(stats), 0);
    const { reads, readBytes, writes, writeBytes, failedReads, failedWrites } = this.#families;
    const { wrong, dropped, waiting, healthy, peerChunks, peerBytes, peerFailed } = this.#families;
    const counters = [
      ...([
        [reads, sum((stats) => stats.readRequests)],
        [readBytes, sum((stats) => stats.readBytes)],
        [writes, sum((stats) => stats.writeRequests)],
        [writeBytes, sum((stats) => stats.writeBytes)],
      ] as const),
      ...([
        [failedReads, sum((stats) => stats.failedReads)],
        [failedWrites, sum((stats) => stats.failedWrites)],
        [wrong, sum((stats) => stats.wrong) + peerSum((stats) => stats.wrong) + wrongOnDisk],
        [dropped, sum((stats) => stats.dropped)],
        [peerChunks, peerSum((stats) => stats.readChunks)],
        [peerBytes, peerSum((stats) => stats.readBytes)],
        [peerFailed, peerSum((stats) => stats.failedChunks)],
      ] as const),
    ];
    for (const [counter, value] of counters) counter.inc(value - counter.value);
    waiting.set(sum((stats) => stats.waiting));
    healthy.set(remotes.every(({ isHealthy }) => isHealthy) ? 1 : 0);
  }
}

/** Seconds; the bounds of LMCache 0.5. */
const transferBounds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

function declare(registry: MetricsRegistry, own: Readonly<Record<string, string>>) {
  const labels = Object.keys(own);
  const counter = (name: string, help: string) =>
    registry.counter({ name: `lmcache:${name}`, help, labels }).with(own);
  const ours = (name: string, help: string) =>
    registry.counter({ name: `spillway_lmcache_${name}`, help, labels }).with(own);
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `lmcache:${name}`, help, labels }).with(own);
  const speed = (name: string, help: string) =>
    registry.histogram({ name: `lmcache:${name}`, help, labels, bounds: speedBounds }).with(own);
  return {
    retrieves: counter(
      'num_retrieve_requests',
      'Total number of retrieve requests sent to lmcache',
    ),
    stores: counter('num_store_requests', 'Total number of store requests sent to lmcache'),
    lookups: counter('num_lookup_requests', 'Total number of lookup requests sent to lmcache'),
    requested: counter('num_requested_tokens', 'Total number of tokens requested from lmcache'),
    hits: counter('num_hit_tokens', 'Total number of tokens hit in lmcache'),
    stored: counter('num_stored_tokens', 'Total number of tokens stored in lmcache'),
    lookupTokens: counter('num_lookup_tokens', 'Total number of tokens looked up in lmcache'),
    lookupHits: counter('num_lookup_hits', 'Total number of tokens hit in lookups of lmcache'),
    retrieveSpeed: speed('retrieve_speed', 'Speed of retrieves, tokens per second'),
    storeSpeed: speed('store_speed', 'Speed of stores, tokens per second'),
    localBytes: gauge('local_cache_usage', 'Bytes of chunks in host memory'),
    diskBytes: gauge('local_storage_usage', 'Bytes of chunks on the local disk'),
    reads: counter('num_remote_read_requests', 'Total number of reads from the remote backend'),
    readBytes: counter(
      'num_remote_read_bytes',
      'Total number of bytes read from the remote backend',
    ),
    writes: counter('num_remote_write_requests', 'Total number of writes to the remote backend'),
    writeBytes: counter(
      'num_remote_write_bytes',
      'Total number of bytes written to the remote backend',
    ),
    waiting: gauge('remote_put_task_num', 'Chunks that wait to be written to the remote backend'),
    failedReads: counter(
      'get_blocking_failed_count',
      'Reads from the remote backend that returned nothing',
    ),
    failedWrites: counter('put_failed_count', 'Writes to the remote backend that failed'),
    peerTime: registry
      .histogram({
        name: 'lmcache:p2p_time_to_transfer',
        help: 'Time to transfer via P2P (seconds)',
        ...{ labels, bounds: transferBounds },
      })
      .with(own),
    peerSpeed: speed('p2p_transfer_speed', 'P2P transfer speed (tokens per second)'),
    healthy: gauge('lmcache_is_healthy', 'Whether the remote backend replies'),
    // LMCache has no names for these: it counts P2P where chunks are lent, does not look at the bytes, and its queue has no bound.
    peerChunks: ours('peer_read_chunks', 'Chunks read out of the host memory of other engines'),
    peerBytes: ours('peer_read_bytes', 'Bytes read out of the host memory of other engines'),
    peerFailed: ours(
      'peer_failed_chunks',
      'Chunks that another engine was said to have, and that did not come',
    ),
    wrong: ours('wrong_chunks', 'Chunks that came back with a wrong byte or size'),
    dropped: ours('dropped_chunks', 'Chunks not stored because too many waited'),
  };
}
