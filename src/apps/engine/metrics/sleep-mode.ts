// vLLM's metric families of sleep mode.
import type { MetricsRegistry } from '../../../core/metrics/index.ts';

export const sleepStates = ['awake', 'weights_offloaded', 'discard_all'] as const;
export type SleepState = (typeof sleepStates)[number];

export type SleepOperation = 'sleep' | 'release_kv_cache_memory' | 'wake';

/** Bounds of vLLM 0.32, entrypoints/serve/dev/sleep/metrics.py. */
const operationSeconds = [0.01, 0.1, 1, 10, 30, 60, 120, 300, 600];

/** Declares the families of operations. @returns A function that returns the series of one operation. */
export function declareSleepMode(registry: MetricsRegistry) {
  const labels = ['operation'];
  const duration = registry.histogram({
    name: 'vllm:sleep_mode_operation_duration_seconds',
    help: 'Duration of one sleep-mode operation.',
    labels,
    bounds: operationSeconds,
  });
  const inFlight = registry.gauge({
    name: 'vllm:sleep_mode_operations_in_flight',
    help: 'Sleep-mode operations currently awaited.',
    labels,
  });
  return (operation: SleepOperation) => ({
    duration: duration.with({ operation }),
    inFlight: inFlight.with({ operation }),
  });
}
