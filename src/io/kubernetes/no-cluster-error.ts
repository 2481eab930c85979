// The error of a machine on which nothing names a cluster.
import { InputError } from '../../core/base/index.ts';

/** Neither a kubeconfig nor a pod's service account is there. A cluster that is named and cannot be reached is another error. */
export class NoClusterError extends InputError {
  constructor() {
    super(
      'There is no cluster: this program does not run in a pod with a service account, and neither KUBECONFIG nor ' +
        '~/.kube/config has a current context.',
    );
  }
}
