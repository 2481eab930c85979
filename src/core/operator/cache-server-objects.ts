// The objects of a CacheServer: Deployment and Service.
import { compact, type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import {
  containerSecurity,
  imageOf,
  podSecurity,
  pullPolicyOf,
  pullSecretsOf,
  resourcesOf,
  serviceSpec,
} from './pod-parts.ts';
import type { CacheServerSpec, ImageSpec } from './resources.ts';

export function cacheServerObjects(
  owner: Owner,
  spec: CacheServerSpec,
  // Upstream's operator does not pass the labels of a CacheServer on.
  selector: Readonly<Record<string, string>> = { app: owner.metadata.name },
): readonly KubernetesObject[] {
  const { name } = owner.metadata;
  const { image, port } = spec;
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: ownedMetadata(owner, name),
      spec: serviceSpec(owner, port, selector),
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: ownedMetadata(owner, name),
      spec: {
        replicas: spec.replicas,
        strategy: { type: spec.deploymentStrategy },
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: compact({
            imagePullSecrets: pullSecretsOf(image),
            securityContext: podSecurity,
            containers: [
              compact({
                name: 'cache-server',
                image: imageOf(image),
                imagePullPolicy: pullPolicyOf(image),
                ...(isSpillway(image) ? ownServer(spec) : lmcacheServer(port)),
                resources: resourcesOf(spec.resources),
                securityContext: containerSecurity,
              }),
            ],
          }),
        },
      },
    },
  ];
}

/** Port of health and metrics of Spillway's server. */
const httpPort = 9400;
const respPort = 6379;

/** Whether an image is Spillway's, whatever its registry, tag or digest: it has no `lmcache_server`. */
function isSpillway({ name }: ImageSpec): boolean {
  return /(?:^|\/)spillway(?:[:@].*)?$/.test(name);
}

function ownServer({ port, eviction }: CacheServerSpec) {
  return {
    command: [
      ...[
        'spillway',
        'cache',
        '--host',
        '0.0.0.0',
        '--port',
        String(port),
        '--resp-port',
        String(respPort),
      ],
      ...['--http-port', String(httpPort), '--memory', '75%'],
      ...['--eviction', eviction],
    ],
    ports: [
      { name: 'http', containerPort: port },
      { name: 'redis', containerPort: respPort },
      { name: 'metrics', containerPort: httpPort },
    ],
    readinessProbe: { httpGet: { path: '/ready', port: httpPort }, periodSeconds: 5 },
    livenessProbe: { httpGet: { path: '/health', port: httpPort }, periodSeconds: 10 },
  };
}

function lmcacheServer(port: number) {
  return {
    command: ['/opt/venv/bin/lmcache_server', '0.0.0.0', String(port)],
    ports: [{ name: 'http', containerPort: port }],
    // This server speaks its own protocol, without a health check.
    readinessProbe: { tcpSocket: { port }, periodSeconds: 5 },
  };
}
