// vLLM's families of native KV offload: names, help and buckets of vLLM 0.32. Most have no series
// until the first observation.
import type { TierStats } from '../../../core/engine/index.ts';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';

/** Bytes. Source of these and the bounds below: vllm/distributed/…/v1/offloading/metrics.py. */
const transferBytes = [1e6, 5e6, 10e6, 20e6, 40e6, 60e6, 80e6, 100e6, 150e6, 200e6];
const lookupSeconds = [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1];
const delaySeconds = [1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Source: vllm/v1/kv_offload/cpu/spec.py. */
const allocationChunks = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144];

/** The time that vLLM's manager needs for one chunk; measured, see docs/models/kv-tiers.md. */
const lookupSecondsPerChunk = 2.3e-6;

const transferTypes = { load: 'CPU_to_GPU', store: 'GPU_to_CPU' } as const;

export class OffloadMetrics {
  readonly #families: ReturnType<typeof declare>;
  readonly #own: Readonly<Record<string, string>>;
  readonly #countsSkipped: boolean;
  #failuresSeen = 0;
  #skippedSeen = 0;

  /**
   * @param own Label values of the engine's series.
   * @param options `countsSkipped`: whether vLLM counts skipped stores, which it does with a store
   * threshold.
   */
  constructor(
    registry: MetricsRegistry,
    own: Readonly<Record<string, string>>,
    options: { readonly countsSkipped: boolean },
  ) {
    this.#own = own;
    this.#countsSkipped = options.countsSkipped;
    this.#families = declare(registry, Object.keys(own), options.countsSkipped);
    // The deprecated names have series from the start.
    const { oldBytes, oldTime, oldSize } = this.#families;
    for (const transfer_type of Object.values(transferTypes)) {
      for (const family of [oldBytes, oldTime, oldSize]) family.with({ ...own, transfer_type });
    }
  }

  onTransfer(direction: 'load' | 'store', bytes: number, seconds: number): void {
    const { oldBytes, oldTime, oldSize } = this.#families;
    const family = this.#families[direction];
    family.bytes.with(this.#own).inc(bytes);
    family.time.with(this.#own).inc(seconds);
    family.size.with(this.#own).observe(bytes);
    const old = { ...this.#own, transfer_type: transferTypes[direction] };
    oldBytes.with(old).inc(bytes);
    oldTime.with(old).inc(seconds);
    oldSize.with(old).observe(bytes);
  }

  onLookup(chunks: number): void {
    this.#families.lookup.with(this.#own).observe(chunks * lookupSecondsPerChunk);
  }

  onLookupDelayed(seconds: number): void {
    this.#families.delay.with(this.#own).observe(seconds);
  }

  onAllocating(chunks: number): void {
    this.#families.allocation.with(this.#own).observe(chunks);
  }

  /** vLLM's manager reports at each step. */
  onStep({ tiers: [cpu], allocationFailures, storesSkipped }: TierStats): void {
    const { usage, writing, reading, failures, skipped } = this.#families;
    if (cpu === undefined) return;
    usage.with(this.#own).set(cpu.writingShare + cpu.readingShare);
    writing.with(this.#own).set(cpu.writingShare);
    reading.with(this.#own).set(cpu.readingShare);
    if (allocationFailures > this.#failuresSeen) {
      failures.with(this.#own).inc(allocationFailures - this.#failuresSeen);
      this.#failuresSeen = allocationFailures;
    }
    if (!this.#countsSkipped) return;
    skipped?.with(this.#own).inc(storesSkipped - this.#skippedSeen);
    this.#skippedSeen = storesSkipped;
  }
}

/** In the order of the real page. */
function declare(registry: MetricsRegistry, labels: readonly string[], countsSkipped: boolean) {
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `vllm:kv_offload_${name}`, help, labels });
  const counter = (name: string, help: string, more: readonly string[] = []) =>
    registry.counter({ name: `vllm:kv_offload_${name}`, help, labels: [...labels, ...more] });
  const histogram = (
    name: string,
    help: string,
    bounds: readonly number[],
    more: readonly string[] = [],
  ) =>
    registry.histogram({
      ...{ name: `vllm:kv_offload_${name}`, help, labels: [...labels, ...more], bounds },
    });
  const type = ['transfer_type'];
  const oldBytes = counter('total_bytes', 'Number of bytes offloaded by KV connector', type);
  const oldTime = counter(
    'total_time',
    'Total time measured by all KV offloading operations',
    type,
  );
  const oldSize = histogram(
    ...(['size', 'Histogram of KV offload transfer size, in bytes.'] as const),
    ...([transferBytes, type] as const),
  );
  const usage = gauge(
    'cpu_cache_usage_perc',
    'Fraction of CPU KV-cache space currently pinned by active transfers (0.0 = idle, 1.0 = saturated). Sustained high values indicate transfers (stores or promotions) may be dropped due to insufficient capacity.',
  );
  const writing = gauge(
    'cpu_cache_write_usage_perc',
    'Fraction of CPU KV-cache space currently pinned by in-flight stores that have not yet completed (0.0 = idle, 1.0 = saturated).',
  );
  const reading = gauge(
    'cpu_cache_read_usage_perc',
    'Fraction of CPU KV-cache space currently pinned by in-flight loads that have not yet completed (0.0 = idle, 1.0 = saturated).',
  );
  const allocation = histogram(
    'cpu_allocation_size',
    'Histogram of the number of CPU chunks requested by each KV offload prepare_store call.',
    allocationChunks,
  );
  const skipped = countsSkipped
    ? counter(
        'stores_skipped',
        'Number of KV offload stores skipped because the reuse threshold was not reached.',
      )
    : undefined;
  const load = {
    bytes: counter('load_bytes', 'Total bytes loaded from offload storage to GPU.'),
    time: counter('load_time', 'Total load time from offload storage to GPU, in seconds.'),
    size: histogram(
      'load_size',
      'Histogram of KV offload load operation size, in bytes.',
      transferBytes,
    ),
  };
  const store = {
    bytes: counter('store_bytes', 'Total bytes stored from GPU to offload storage.'),
    time: counter('store_time', 'Total store time from GPU to offload storage, in seconds.'),
    size: histogram(
      'store_size',
      'Histogram of KV offload store operation size, in bytes.',
      transferBytes,
    ),
  };
  const lookup = histogram(
    'lookup_sync_delay_seconds',
    'Histogram of the time spent in a single offload lookup call, in seconds.',
    lookupSeconds,
  );
  const delay = histogram(
    'lookup_async_delay_seconds',
    "Histogram of time between a request's offload lookup first deferring and the following lookup resolving, or request finish, in seconds.",
    delaySeconds,
  );
  const failures = counter(
    'allocation_failure',
    'Number of KV offload store allocation attempts that failed.',
  );
  return {
    ...{ oldBytes, oldTime, oldSize, usage, writing, reading, allocation, skipped },
    ...{ load, store, lookup, delay, failures },
  };
}
