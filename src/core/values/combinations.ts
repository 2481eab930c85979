// Values that are fine one by one and impossible together.
import type { Values } from './schema.ts';
import type { Path } from './tree.ts';

export interface Conflict {
  /** The key to change. */
  readonly path: Path;
  readonly sentence: string;
}

/** Everything in the values that cannot work together, whoever runs them. */
export function checkCombinations(values: Values): Conflict[] {
  return checkAutoscaling(values);
}

function checkAutoscaling({ routerSpec: { autoscaling } }: Values): Conflict[] {
  if (autoscaling.minReplicas <= autoscaling.maxReplicas) return [];
  return [
    {
      path: ['routerSpec', 'autoscaling', 'minReplicas'],
      sentence: `routerSpec.autoscaling.minReplicas (${autoscaling.minReplicas}) must not be above maxReplicas (${autoscaling.maxReplicas})`,
    },
  ];
}
