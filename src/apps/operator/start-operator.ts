// Puts the operator together: cluster, leader election, health checks.
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { seededRandom } from '../../core/base/index.ts';
import { openCluster } from '../../io/kubernetes/index.ts';
import { portError } from '../../io/listen/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { apiCluster, apiLease } from './api-cluster.ts';
import { LeaderElection } from './leader-election.ts';
import { Operator } from './operator.ts';

export interface StartOperatorOptions {
  /** Address and port of /healthz and /readyz; 0 for any port. */
  readonly host: string;
  readonly port: number;
  /** Works in this namespace only. @default all */
  readonly namespace?: string | undefined;
  /** Where the operators' Lease is; undefined if this is the only one. */
  readonly leaseNamespace?: string | undefined;
  readonly log: Logger;
}

export interface OperatorProcess {
  /** URL of the health checks. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws {InputError} If there is no cluster, or the port is in use. */
export async function startOperator(options: StartOperatorOptions): Promise<OperatorProcess> {
  const { host, port, namespace, leaseNamespace, log } = options;
  const access = await openCluster();
  const clock = { nowSeconds: () => performance.now() / 1000 };
  const random = seededRandom(Math.floor(Math.random() * 2 ** 31));
  const election =
    leaseNamespace === undefined
      ? undefined
      : new LeaderElection({
          ...{ clock, log },
          store: apiLease(access, leaseNamespace, 'spillway-operator'),
          identity: `${hostname()}_${randomUUID()}`,
        });
  const operator = new Operator({
    ...{ access, namespace, election, clock, random, log },
    cluster: apiCluster(access),
  });
  const health = healthServer(operator);
  const url = await listening(health, host, port);
  election?.start();
  const running = operator.run();
  return {
    url,
    close: async () => {
      await operator.close();
      await running;
      await election?.close();
      health.closeAllConnections();
      health.close();
      access.close();
    },
  };
}

function healthServer(operator: Operator): Server {
  return createServer((request, response) => {
    const isReady = request.url !== '/readyz' || operator.isSynced;
    const isKnown = request.url === '/healthz' || request.url === '/readyz';
    response.writeHead(!isKnown ? 404 : isReady ? 200 : 503).end(isReady ? 'ok\n' : 'not ready\n');
  });
}

async function listening(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}
