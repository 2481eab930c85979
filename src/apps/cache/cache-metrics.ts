// The metrics of the cache server.
import type { MemoryStore } from '../../core/cache/index.ts';
import { type Counter, MetricsRegistry } from '../../core/metrics/index.ts';
import type { DiskTier } from '../../io/disk/index.ts';
import { declareProcessMetrics } from '../../io/process-metrics/index.ts';
import type { CloseReason } from './conversation.ts';

/** A protocol that clients speak, as the label of metrics. */
export type CacheProtocol = 'lm' | 'resp';

/** What one protocol counts. */
export interface ProtocolMetrics {
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
  readonly connections: Counter;
  readonly rejected: Counter;
  requested(command: string): void;
  closed(reason: CloseReason): void;
}

export interface CacheMetrics {
  readonly registry: MetricsRegistry;
  of(protocol: CacheProtocol): ProtocolMetrics;
}

/** @param openConnections Connections that are open now. */
export function cacheMetrics(
  store: MemoryStore,
  openConnections: (protocol: CacheProtocol) => number,
): CacheMetrics {
  const registry = new MetricsRegistry();
  declareProcessMetrics(registry);
  declareStore(registry, store);
  const counter = (name: string, help: string, ...labels: readonly string[]) =>
    registry.counter({
      name: `spillway_cache_${name}`,
      help,
      labels: ['protocol', ...labels],
    });
  const requests = counter('requests', 'Requests by command.', 'command');
  const received = counter('received_bytes', 'Bytes from clients.');
  const sent = counter('sent_bytes', 'Bytes to clients.');
  const connections = counter('accepted_connections', 'Connections accepted.');
  const rejected = counter('rejected_connections', 'Connections above the maximum.');
  const closed = counter(
    'closed_connections',
    'Connections that the server closed: a request that stalled or took too long, or no valid request.',
    'reason',
  );
  registry.rowGauge<CacheProtocol>({
    name: 'spillway_cache_connections',
    help: 'Open connections.',
    rows: () => ['lm', 'resp'],
    labels: (protocol) => ({ protocol }),
    value: openConnections,
  });
  return {
    registry,
    of: (protocol) => ({
      receivedBytes: received.with({ protocol }),
      sentBytes: sent.with({ protocol }),
      connections: connections.with({ protocol }),
      rejected: rejected.with({ protocol }),
      requested: (command) => requests.with({ protocol, command }).inc(),
      closed: (reason) => closed.with({ protocol, reason }).inc(),
    }),
  };
}

function declareStore(registry: MetricsRegistry, store: MemoryStore): void {
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `spillway_cache_${name}`, help }).with();
  const counter = (name: string, help: string) =>
    registry.counter({ name: `spillway_cache_${name}`, help }).with();
  const values = gauge('values', 'Values in memory.');
  const bytes = gauge('memory_bytes', 'Bytes of the values in memory.');
  const bytesMax = gauge('memory_max_bytes', 'Bound of the memory of values.');
  const counts = [
    [counter('hits', 'Values that were read.'), 'hits'],
    [counter('misses', 'Reads of values that were not there.'), 'misses'],
    [counter('evictions', 'Values that made room for others.'), 'evictions'],
    [
      counter('refused', 'Values that found no room: all others were in use, or too large.'),
      'refused',
    ],
    [counter('corrupt', 'Values whose bytes did not match their checksum.'), 'corrupt'],
  ] as const;
  registry.onRender(() => {
    const { stats } = store;
    values.set(stats.entries);
    bytes.set(stats.bytes);
    bytesMax.set(stats.bytesMax);
    for (const [family, name] of counts) family.inc(stats[name] - family.value);
  });
}

/** Declares the metrics of the disk tier. */
export function declareDisk(registry: MetricsRegistry, disk: DiskTier): void {
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `spillway_cache_disk_${name}`, help }).with();
  const values = gauge('values', 'Values on disk.');
  const bytes = gauge('bytes', 'Bytes of the files.');
  const bytesMax = gauge('max_bytes', 'Bound of the files.');
  const waiting = gauge('waiting_bytes', 'Bytes that wait to be written.');
  const counts = (
    [
      ['written', 'Values written.'],
      ['read', 'Values read.'],
      ['evictions', 'Values that made room for others.'],
      ['dropped', 'Values not written: too many waited, the disk failed, or there was no room.'],
      ['corrupt', 'Files whose bytes did not match their checksum.'],
      ['readErrors', 'Reads that failed.'],
      ['writeErrors', 'Writes that failed.'],
    ] as const
  ).map(([name, help]) => {
    const metric = name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
    const family = registry.counter({ name: `spillway_cache_disk_${metric}`, help });
    return [family.with(), name] as const;
  });
  registry.onRender(() => {
    const { stats } = disk;
    values.set(stats.entries);
    bytes.set(stats.bytes);
    bytesMax.set(stats.bytesMax);
    waiting.set(stats.waitingBytes);
    for (const [counter, name] of counts) counter.inc(stats[name] - counter.value);
  });
}
