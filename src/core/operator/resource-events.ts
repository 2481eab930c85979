// What has become new in a resource, as events for `kubectl describe`: each change of a condition's reason is one.
import type { Condition } from './status.ts';

export interface ResourceEvent {
  readonly type: 'Normal' | 'Warning';
  /** In CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/**
 * Reasons that are no event: what they say comes and goes while pods are replaced or scaled. The scaler records each of its
 * decisions itself.
 */
const quiet = new Set([
  ...['Starting', 'PodsStarting', 'PodsReady', 'ScaledToZero', 'Disabled'],
  ...['AsNeeded', 'ScaledUp', 'ScaledDown'],
]);

export function eventsOf(before: unknown, next: unknown): readonly ResourceEvent[] {
  const known = conditionsOf(before);
  return conditionsOf(next)
    .filter(({ type, reason }) => !known.some((one) => one.type === type && one.reason === reason))
    .filter(({ reason }) => !quiet.has(reason))
    .map(({ type, status, reason, message }) => ({
      type: status === 'False' || type === 'Conflict' ? 'Warning' : 'Normal',
      ...{ reason, message },
    }));
}

function conditionsOf(status: unknown): readonly Condition[] {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly Condition[] };
  return conditions;
}
