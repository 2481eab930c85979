// Two or more values that cannot be combined.
import type { Values } from './schema.ts';
import { type Path, pathText } from './tree.ts';

/** Keys that contradict each other. */
export interface Conflict {
  /** The key to change, where the error is shown. */
  readonly path: Path;
  /** The other keys that the sentence mentions. */
  readonly others: readonly Path[];
  /** A sentence without its full stop. */
  readonly sentence: string;
}

/** Kubernetes accepts one of the two bounds, not both. */
export function pdbConflicts(
  path: Path,
  pdb: Values['routerSpec']['pdb'] | undefined,
): readonly Conflict[] {
  if (!pdb?.enabled || pdb.minAvailable === null || pdb.maxUnavailable === null) return [];
  const here = [...path, 'maxUnavailable'];
  return [
    {
      path: here,
      others: [[...path, 'minAvailable']],
      sentence: `${pathText(here)} and minAvailable cannot both be set; keep one of them`,
    },
  ];
}
