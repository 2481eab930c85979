// A router that finds pods with a service account in a folder. Started by bench/kubernetes.ts.
//
//   node bench/kubernetes/router.ts FOLDER HOST PORT ENGINE_PORT
//
// Prints its URL.
import { startRouter } from '../../src/apps/router/index.ts';
import { clusterSource } from '../../src/io/endpoints/cluster-source.ts';
import { openCluster } from '../../src/io/kubernetes/index.ts';
import { createLogger } from '../../src/io/log/index.ts';

const [folder = '', host = '', port = '', enginePort = ''] = process.argv.slice(2);
const log = createLogger({ stream: process.stderr, level: 'error', format: 'text' });
const engines = clusterSource({
  ...{ kind: 'pod-ip', namespaces: ['default'], port: Number(enginePort) },
  ...{ labelSelector: '', watchSeconds: 0, log },
  access: await openCluster({
    folder,
    environment: { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port },
  }),
});
// A request for a model whose only engine has gone fails at once, which tells when it is gone.
const deadlines = { engineWaitSeconds: 0 };
const router = await startRouter({
  ...{ port: 0, engines, discovery: 'k8s', kvEvents: false, deadlines, log },
});
process.stdout.write(`${router.url}\n`);
