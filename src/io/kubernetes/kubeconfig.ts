// Access with a kubeconfig: tokens, certificates, exec plugins (EKS, GKE, AKS) and OIDC, by Kubernetes' own client.
import type { RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { InputError } from '../../core/base/index.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { NoClusterError } from './no-cluster-error.ts';
import { openPodPort, type PodPort } from './pod-port.ts';

/** A context of a kubeconfig. */
export interface ContextAccess extends ClusterAccess {
  readonly context: string;
  /** Names of all contexts. */
  readonly contexts: readonly string[];
  /** Where its commands work unless another one is named. */
  readonly namespace: string;
  /** Connects to a port of a pod. @throws {Error} If that is refused, with the reason. */
  openPodPort(target: PodPort, signal: AbortSignal): Promise<Duplex>;
}

/**
 * Opens a context of `KUBECONFIG` or `~/.kube/config`; without such a file, the service account of the pod.
 *
 * @param choose Returns the context to open, from all and the current one. @default the current one
 * @throws {NoClusterError} If nothing names a cluster.
 * @throws {InputError} If the kubeconfig cannot be read, or has no such context.
 */
export async function kubeconfigAccess(
  choose: (contexts: readonly string[], current: string) => string = (_, current) => current,
): Promise<ContextAccess> {
  // Imported here because it takes 0.5 s of CPU time and 88 MB, which a router in a pod does not need.
  const { KubeConfig } = await import('@kubernetes/client-node');
  let config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const [sentence = ''] = why.split('\n');
    throw new InputError(`The kubeconfig cannot be read: ${sentence.replace(/[.:]$/, '')}.`, {
      cause,
    });
  }
  if (isFallback(config.getCurrentCluster())) throw new NoClusterError();
  const contexts = config.getContexts().map(({ name }) => name);
  const context = choose(contexts, config.getCurrentContext());
  config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new NoClusterError();
  // The client library refuses them with an error of its own, at the first request.
  if (/^http:/i.test(cluster.server) && !cluster.skipTLSVerify && !cluster.proxyUrl) {
    throw new InputError(
      `The kubeconfig's server ${cluster.server} of context ${context} has no TLS: use an https:// URL, or set ` +
        'insecure-skip-tls-verify for this cluster.',
    );
  }
  return {
    ...{ context, contexts, namespace: config.getContextObject(context)?.namespace ?? 'default' },
    server: cluster.server.replace(/\/+$/, ''),
    requestOptions: async () => {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return options;
    },
    openPodPort: (target, signal) => openPodPort(config, target, signal),
    // Credentials of files and plugins are read again by a configuration that has not read them yet.
    refused: () => {
      const renewed = new KubeConfig();
      try {
        renewed.loadFromDefault();
        renewed.setCurrentContext(context);
        config = renewed;
      } catch {
        // The file is being replaced: the next refusal reads it again.
      }
    },
    close: () => {},
  };
}

/** Whether it is the cluster that Kubernetes' client invents where there is no kubeconfig. */
function isFallback(cluster: { readonly name: string; readonly server: string } | null): boolean {
  return cluster?.name === 'cluster' && cluster.server === 'http://localhost:8080';
}
