// The objects of a VLLMRouter: service account and what it may do, Services, Deployment.
import { compact, type KubernetesObject, type Owner, ownedMetadata } from './kubernetes-object.ts';
import {
  containerSecurity,
  healthProbe,
  imageOf,
  nodeAffinityOf,
  podLabels,
  podSecurity,
  pullPolicyOf,
  pullSecretsOf,
  resourcesOf,
  serviceSpec,
} from './pod-parts.ts';
import type { RouterSpec } from './resources.ts';

/** SIGTERM first fails the readiness probe for 5 s, then streams have the rest of this time to end. */
const shutdownSeconds = 120;
/** Images whose entrypoint is upstream's router. */
const upstreamImage = /(^|\/)(lmstack-router|production-stack\/router|vllm-router)(:|@|$)/;

export function routerObjects(
  owner: Owner,
  spec: RouterSpec,
  selector: Readonly<Record<string, string>> = podLabels(owner),
): readonly KubernetesObject[] {
  if (!spec.enableRouter) return [];
  const { name, namespace } = owner.metadata;
  const account = spec.serviceAccountName || name;
  const [role, binding] = [`${name}-pod-viewer-role`, `${name}-pod-viewer-binding`];
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: ownedMetadata(owner, account) },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: ownedMetadata(owner, role),
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: ownedMetadata(owner, binding),
      subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: ownedMetadata(owner, name),
      spec: serviceSpec(owner, spec.port, selector, lmcachePorts(spec)),
    },
    ...(hasPeers(spec) ? [peersService(owner, spec, selector)] : []),
    deployment(owner, spec, account, selector),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: ownedMetadata(owner, name),
      spec: { maxUnavailable: 1, selector: { matchLabels: selector } },
    },
  ];
}

function isOurs({ routerKind, image }: RouterSpec): boolean {
  return (routerKind ?? kindOf(image)) === 'spillway';
}

/** Several routers share what they send, as in the chart; peers that are written in extraArgs are those that count. */
function hasPeers(spec: RouterSpec): boolean {
  const { replicas, extraArgs = [] } = spec;
  const isGiven = extraArgs.some((word) => /^--router-peers(=|$)/.test(word));
  return isOurs(spec) && replicas > 1 && !isGiven;
}

function peersName({ metadata }: Owner): string {
  return `${metadata.name}-peers`;
}

/** Without a cluster IP, so that its name stands for the addresses of all router pods, also of those that start or stop. */
function peersService(
  owner: Owner,
  { port }: RouterSpec,
  selector: Readonly<Record<string, string>>,
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: ownedMetadata(owner, peersName(owner)),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      ports: [{ name: 'http', port, targetPort: port, protocol: 'TCP' }],
      selector,
    },
  };
}

function deployment(
  owner: Owner,
  spec: RouterSpec,
  account: string,
  selector: Readonly<Record<string, string>>,
): KubernetesObject {
  const { port, image } = spec;
  // A router whose engines need long to start, or are all gone, must not be restarted for it.
  const alive = isOurs(spec) ? '/livez' : '/health';
  const own = [
    ...(isOurs(spec) ? ['--shutdown-timeout', String(shutdownSeconds)] : []),
    ...(hasPeers(spec) ? ['--router-peers', `http://${peersName(owner)}:${port}`] : []),
  ];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: ownedMetadata(owner, owner.metadata.name),
    spec: {
      replicas: spec.replicas,
      // A router is never missing while another one starts.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: { ...podLabels(owner), ...selector } },
        spec: compact({
          serviceAccountName: account,
          imagePullSecrets: pullSecretsOf(image),
          affinity: nodeAffinityOf(spec.nodeSelectorTerms),
          topologySpreadConstraints: [
            {
              ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname' },
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            },
          ],
          // Lets a user other than root listen on port 80.
          securityContext: {
            ...podSecurity,
            sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
          },
          terminationGracePeriodSeconds: shutdownSeconds + 10,
          containers: [
            compact({
              name: 'router',
              image: imageOf(image),
              imagePullPolicy: pullPolicyOf(image),
              command: isOurs(spec) ? ['spillway', 'router'] : undefined,
              args: [...routerArguments(owner, spec), ...own, ...(spec.extraArgs ?? [])],
              env: routerEnvironment(spec),
              ports: [
                { name: 'http', containerPort: port },
                ...lmcachePorts(spec).map(({ name, port: containerPort }) => ({
                  ...{ name, containerPort },
                })),
              ],
              resources: resourcesOf(spec.resources),
              securityContext: containerSecurity,
              startupProbe: healthProbe(port, { periodSeconds: 1, failureThreshold: 60 }, alive),
              readinessProbe: healthProbe(port, { periodSeconds: 2, failureThreshold: 1 }),
              livenessProbe: healthProbe(port, { periodSeconds: 10, failureThreshold: 6 }, alive),
            }),
          ],
        }),
      },
    },
  };
}

/** Flags that upstream's router and ours both have. */
function routerArguments({ metadata }: Owner, spec: RouterSpec): readonly string[] {
  const args = ['--host', '0.0.0.0', '--port', String(spec.port)];
  const value = (flag: string, text: string | number | undefined) => {
    if (text) args.push(flag, String(text));
  };
  value('--service-discovery', spec.serviceDiscovery);
  if (spec.serviceDiscovery === 'k8s') {
    value('--k8s-namespace', metadata.namespace);
    value('--k8s-label-selector', spec.k8sLabelSelector);
  } else {
    value('--static-backends', spec.staticBackends);
    value('--static-models', spec.staticModels);
  }
  value('--routing-logic', spec.routingLogic);
  value('--session-key', spec.sessionKey);
  for (const { flag, port } of lmcachePorts(spec)) value(flag, port);
  if (isOurs(spec)) args.push(...hashSeedFlag(spec));
  value('--engine-stats-interval', spec.engineScrapeInterval);
  value('--request-stats-window', spec.requestStatsWindow);
  return args;
}

/** Ports of LMCache's control planes that the router opens. Upstream's has a controller with `kvaware` only. */
function lmcachePorts(
  spec: RouterSpec,
): readonly { readonly name: string; readonly flag: string; readonly port: number }[] {
  const { lmcacheControllerPort: pull, lmcacheCoordinatorPort: coordinator } = spec;
  const ours = isOurs(spec);
  const hasController = pull && (ours || spec.routingLogic === 'kvaware');
  // Upstream's flags have no defaults that follow from each other, so all three are given.
  const controller = hasController
    ? [
        { name: 'lmcache-pull', flag: '--lmcache-controller-port', port: pull },
        {
          ...{ name: 'lmcache-reply', flag: '--lmcache-controller-reply-port' },
          port: spec.lmcacheControllerReplyPort ?? pull + 1,
        },
        {
          ...{ name: 'lmcache-beats', flag: '--lmcache-controller-heartbeat-port' },
          port: spec.lmcacheControllerHeartbeatPort ?? pull + 2,
        },
      ]
    : [];
  return coordinator && ours
    ? [
        ...controller,
        { name: 'lmcache-fleet', flag: '--lmcache-coordinator-port', port: coordinator },
      ]
    : controller;
}

/** Seed 0 is one, too. */
function hashSeedFlag({ engineHashSeed }: RouterSpec): readonly string[] {
  return engineHashSeed === undefined ? [] : ['--engine-hash-seed', String(engineHashSeed)];
}

function kindOf({ name }: RouterSpec['image']): 'spillway' | 'upstream' {
  return upstreamImage.test(name) ? 'upstream' : 'spillway';
}

function routerEnvironment(spec: RouterSpec): readonly object[] {
  const { vllmApiKeySecret: secret, vllmApiKeyName: key } = spec;
  const hasKey = secret?.name && key;
  return [
    ...(spec.env ?? []),
    ...(hasKey
      ? [{ name: 'VLLM_API_KEY', valueFrom: { secretKeyRef: { name: secret.name, key } } }]
      : []),
  ];
}
