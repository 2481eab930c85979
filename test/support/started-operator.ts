// An operator in the process of a test.
import type { TestContext } from 'node:test';
import { apiCluster, apiLease } from '../../src/apps/operator/api-cluster.ts';
import { LeaderElection } from '../../src/apps/operator/leader-election.ts';
import { Operator } from '../../src/apps/operator/operator.ts';
import { seededRandom } from '../../src/core/base/index.ts';
import type { ClusterAccess } from '../../src/io/kubernetes/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';

/** Access with the rights that the operator's manifests give to its service account. */
export async function operatorAccess(cluster: ControlPlane): Promise<ClusterAccess> {
  const token = await cluster.tokenOf('spillway-system', 'spillway-operator');
  return {
    server: cluster.url,
    requestOptions: async () => ({
      ca: cluster.authority,
      headers: { authorization: `Bearer ${token}` },
    }),
    refused: () => {},
    close: () => {},
  };
}

export interface StartedOperatorOptions {
  readonly access: ClusterAccess;
  readonly namespace?: string;
  /** Where the Lease is, and who this operator is; without it there is no election. */
  readonly lease?: { readonly namespace: string; readonly identity: string } | undefined;
}

/** Starts an operator that ends with the test at the latest. */
export function startedOperator(t: TestContext, options: StartedOperatorOptions) {
  const { access, namespace, lease } = options;
  const clock = { nowSeconds: () => performance.now() / 1000 };
  const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
  const election =
    lease &&
    new LeaderElection({
      ...{ identity: lease.identity, clock, log },
      store: apiLease(access, lease.namespace, 'spillway-operator'),
    });
  const operator = new Operator({
    ...{ access, namespace, election, clock, log },
    cluster: apiCluster(access),
    random: seededRandom(1),
  });
  election?.start();
  const running = operator.run();
  const close = async () => {
    await operator.close();
    await running;
    await election?.close();
  };
  t.after(close);
  return { election, close };
}
