// Which local ports a monitor takes.
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Cluster } from './cluster.ts';
import { openMonitor } from './monitor.ts';
import type { Release } from './release.ts';

const manifests = [
  {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name: 'r-router-service', namespace: 'n' },
    spec: { ports: [{ name: 'router-sport', port: 80 }] },
  },
];

/** A monitor of a release whose cluster has nothing but the router. */
function monitorAt(port?: number) {
  const cluster = { listIfAllowed: async () => [] } as unknown as Cluster;
  const release = { name: 'r', namespace: 'n', manifests } as unknown as Release;
  const ports = port === undefined ? {} : { router: port };
  return openMonitor({ cluster, release, ports, onState: () => {} });
}

/** A port that is in use until the end of the test. */
async function takenPort(context: TestContext): Promise<number> {
  const server = createServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

test('a port that was asked for and is in use is reported with its flag', async (context) => {
  const port = await takenPort(context);
  await assert.rejects(monitorAt(port), {
    name: 'InputError',
    message: `Port ${port} on 127.0.0.1 is in use; stop the program that listens there, or choose another port with --router-port.`,
  });
});

test('0 is any free port', async () => {
  const monitor = await monitorAt(0);
  const [router] = monitor.forwards;
  assert.equal(router?.name, 'router');
  assert.match(router?.url ?? '', /^http:\/\/127\.0\.0\.1:\d+$/);
  await monitor.close();
});
