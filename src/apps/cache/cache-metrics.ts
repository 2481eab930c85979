// The metrics of the cache server.
import type { MemoryStore, TenantUsage } from '../../core/cache/index.ts';
import { type Counter, MetricsRegistry } from '../../core/metrics/index.ts';
import type { DiskStats } from '../../io/disk/index.ts';
import type { ObjectStats } from '../../io/object-store/index.ts';
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
    'Connections that the server closed: a request that stalled or took too long, replies that were not read, too much memory, or no valid request.',
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
  const bytes = gauge('memory_bytes', 'Size of the values in memory, in bytes.');
  const bytesMax = gauge('memory_max_bytes', 'Maximum memory for values, in bytes.');
  const counts = [
    [counter('hits', 'Reads of values that the cache had.'), 'hits'],
    [counter('misses', 'Reads of values that the cache did not have.'), 'misses'],
    [counter('evictions', 'Values evicted to make room for others.'), 'evictions'],
    [
      counter(
        'refused',
        'Values that were not stored: all others were in use, or the value was too large.',
      ),
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

/** Declares the metrics of tenants: one row for each that is configured. */
export function declareTenants(registry: MetricsRegistry, { tenants }: MemoryStore): void {
  if (tenants.all.length === 0) return;
  const row = {
    rows: () => tenants.all,
    labels: ({ quota }: TenantUsage) => ({ tenant: quota.name }),
  };
  const gauges = [
    ['values', 'Values of a tenant in memory.', 'entries'],
    ['memory_bytes', 'Size of a tenant’s values in memory, in bytes.', 'bytes'],
    ['memory_max_bytes', 'Maximum memory for a tenant’s values, in bytes.', 'bytesMax'],
  ] as const;
  for (const [name, help, field] of gauges) {
    registry.rowGauge<TenantUsage>({
      ...{ ...row, name: `spillway_cache_tenant_${name}`, help },
      value: ({ stats }) => stats[field],
    });
  }
  const counters = [
    ['hits', 'Reads of a tenant’s values that the cache had.'],
    ['misses', 'Reads of a tenant’s values that the cache did not have.'],
    ['evictions', 'Values of a tenant that were evicted.'],
    ['refused', 'Values of a tenant that were not stored.'],
  ] as const;
  for (const [field, help] of counters) {
    const name = `spillway_cache_tenant_${field}`;
    const family = registry.counter({ name, help, labels: ['tenant'] });
    registry.onRender(() => {
      for (const { quota, counts } of tenants.all) {
        const counter = family.with({ tenant: quota.name });
        counter.inc(counts[field] - counter.value);
      }
    });
  }
}

/** Declares the metrics of the disk tier. */
export function declareDisk(registry: MetricsRegistry, disk: { readonly stats: DiskStats }): void {
  declareTier(registry, 'disk', () => disk.stats, [
    ['entries', 'values', 'Values on disk.'],
    ['bytes', 'bytes', 'Bytes of the files.'],
    ['bytesMax', 'max_bytes', 'Maximum size of the files, in bytes.'],
    ['waitingBytes', 'waiting_bytes', 'Bytes that wait to be written.'],
    ['written', 'written_total', 'Values written.'],
    ['read', 'read_total', 'Values read.'],
    ['evictions', 'evictions_total', 'Values evicted to make room for others.'],
    [
      'dropped',
      'dropped_total',
      'Values not written: too many waited, the disk failed, or there was no room.',
    ],
    ['corrupt', 'corrupt_total', 'Files whose bytes did not match their checksum.'],
    ['readErrors', 'read_errors_total', 'Reads that failed.'],
    ['writeErrors', 'write_errors_total', 'Writes that failed.'],
  ]);
}

/** Declares the metrics of the object tier. */
export function declareObjects(
  registry: MetricsRegistry,
  objects: { readonly stats: ObjectStats },
): void {
  declareTier(registry, 's3', () => objects.stats, [
    ['entries', 'values', 'Values that are known to be in the bucket.'],
    ['bytes', 'bytes', 'Bytes of those values.'],
    ['waitingBytes', 'waiting_bytes', 'Bytes that wait to be written.'],
    ['written', 'written_total', 'Values written.'],
    ['read', 'read_total', 'Values read.'],
    [
      'dropped',
      'dropped_total',
      'Values not written: too many waited, the store failed, or the key was too long for a name.',
    ],
    ['corrupt', 'corrupt_total', 'Objects whose bytes did not match their checksum.'],
    ['retries', 'retries_total', 'Calls that were repeated.'],
    ['errors', 'errors_total', 'Calls that failed.'],
  ]);
}

/** Declares rows of a field, a metric and its help; metrics that end with `_total` are counters, the others gauges. */
function declareTier<Stats>(
  registry: MetricsRegistry,
  tier: string,
  stats: () => Stats,
  rows: readonly (readonly [keyof Stats & string, string, string])[],
): void {
  for (const [field, metric, help] of rows) {
    const name = `spillway_cache_${tier}_${metric}`;
    if (metric.endsWith('_total')) {
      const counter = registry.counter({ name: name.replace(/_total$/, ''), help }).with();
      registry.onRender(() => counter.inc(Number(stats()[field]) - counter.value));
    } else {
      const gauge = registry.gauge({ name, help }).with();
      registry.onRender(() => gauge.set(Number(stats()[field])));
    }
  }
}
