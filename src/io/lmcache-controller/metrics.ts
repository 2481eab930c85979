// What the controller shows on /metrics.
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import type { Controller } from './controller.ts';

/** Metrics under the names of LMCache's own controller. */
export function declareController(metrics: MetricsRegistry, controller: Controller): void {
  const { registry } = controller;
  const gauge = (name: string, help: string) =>
    metrics.gauge({ name: `lmcache:cache_controller_${name}`, help }).with();
  const keys = gauge('kv_pool_keys_count', 'Chunks that LMCache’s workers have, once per worker.');
  const workers = gauge('registered_workers_count', 'Workers that are registered.');
  const gaps = gauge('kv_op_seq_discontinuity_count', 'Times that messages of a worker were lost.');
  metrics.onRender(() => {
    keys.set(registry.stats.chunks);
    workers.set(registry.workers.length);
    gaps.set(registry.stats.gaps);
  });
}
