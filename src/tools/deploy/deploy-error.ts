// What a command of the workflow reports instead of a result.
import { SpillwayError } from '../../core/base/index.ts';

/** Helm, or the cluster, did not do what was asked; the sentence has the reason and what to do. */
export class DeployError extends SpillwayError {
  override readonly name = 'DeployError';
  readonly code = 'ERR_DEPLOY';
}
