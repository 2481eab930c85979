// The startup probe of the chart as a deadline.
import type { Values } from '../../core/values/index.ts';

/** Time that the probe gives an engine to start, with Kubernetes' defaults for keys that are not set. */
export function startSecondsMax({
  initialDelaySeconds = 0,
  periodSeconds = 10,
  failureThreshold = 3,
}: Values['servingEngineSpec']['startupProbe']): number {
  return initialDelaySeconds + periodSeconds * failureThreshold;
}
