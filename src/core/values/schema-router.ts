// The keys below routerSpec: where the router listens, where it routes to, and how it picks.
import { z } from 'zod';
import { policyNames, rolePolicyNames, slowStartSecondsDefault } from '../routing/index.ts';
import { withPolicyKeys } from './policy-keys.ts';
import { admissionSchema } from './router-admission.ts';
import { hedgingSchema } from './router-hedging.ts';
import { disaggregation } from './schema-disaggregation.ts';
import {
  count,
  ignored,
  imageDigest,
  kubernetesList,
  kubernetesObject,
  ours,
  pdb,
  podKeysOf,
  portNumber,
  positive,
  probe,
  pullPolicy,
  secret,
  secretReference,
  section,
  serviceMonitor,
  serviceType,
  stringMap,
  text,
  upstream,
} from './schema-keys.ts';
import { timeoutsSchema } from './schema-timeouts.ts';
import { engineTlsSchema, listenerTlsSchema } from './schema-tls.ts';

/** Policies, and the two names with which each request has one for its prefill and one for the rest. */
export const routingLogics = [...policyNames, ...rolePolicyNames] as const;

const routerHealth = { httpGet: { path: '/health', port: 'router-port' } };

const route = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Whether to create this route.'),
  apiVersion: upstream(text.optional(), 'API version of the route.'),
  kind: upstream(
    z.enum(['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute', 'UDPRoute']).optional(),
    'Kind of the route.',
  ),
  annotations: upstream(stringMap.optional(), 'Annotations of the route.'),
  labels: upstream(stringMap.optional(), 'Labels of the route.'),
  hostnames: upstream(z.array(z.string()).optional(), 'Host names of the route.'),
  parentRefs: upstream(kubernetesList.optional(), 'Gateways of the route.'),
  httpsRedirect: upstream(z.boolean().optional(), 'Redirect HTTP to HTTPS; matches are ignored.'),
  matches: upstream(kubernetesList.optional(), 'Requests that the route matches.'),
  filters: upstream(kubernetesList.optional(), 'Filters for these requests.'),
  additionalRules: upstream(kubernetesList.optional(), 'More rules of the route.'),
});

const mainRoute = {
  enabled: false,
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute' as const,
  annotations: {},
  labels: {},
  hostnames: [],
  parentRefs: [],
  httpsRedirect: false,
  matches: [{ path: { type: 'PathPrefix', value: '/' } }],
  filters: [],
  additionalRules: [],
};

const routerKeys = {
  enableRouter: upstream(z.boolean().default(true), 'Whether to run the router.'),
  host: ours(text.min(1).default('127.0.0.1'), 'Address where "spillway up" listens.'),
  containerPort: upstream(
    portNumber.default(8000),
    'Port where the router listens, also under "spillway up".',
  ),
  servicePort: upstream(portNumber.default(80), 'Port of the router Service.'),
  serviceDiscovery: upstream(
    z.enum(['k8s', 'static', 'external-only']).default('k8s'),
    'How the router finds engines. "spillway up" passes the engines that it starts.',
  ),
  k8sServiceDiscoveryType: upstream(
    z.enum(['pod-ip', 'service-name']).default('pod-ip'),
    'Whether the router finds pods or Services.',
  ),
  staticBackends: upstream(text.default(''), 'Comma-separated engine URLs (static discovery).'),
  staticModels: upstream(text.default(''), 'Comma-separated models, one for each of these URLs.'),
  routingLogic: upstream(
    z.enum(routingLogics).default('roundrobin'),
    'Policy that picks an engine; see the reference of routing policies.',
  ),
  disaggregation: ours(
    disaggregation,
    'Disaggregated prefill: for routingLogic disaggregated_prefill and disaggregated_prefill_orchestrated.',
  ),
  sessionKey: upstream(
    text.default(''),
    'session: header or body key that contains the session id.',
  ),
  rootPath: upstream(text.default(''), 'Path prefix of the router.'),
  engineScrapeInterval: upstream(
    positive.default(15),
    "Interval between scrapes of the engines' metrics, in seconds.",
  ),
  requestStatsWindow: upstream(
    positive.default(60),
    'Window of the request statistics, in seconds.',
  ),
  timeouts: ours(
    timeoutsSchema,
    'Timeouts of the router in seconds; 0 for none, except for connecting.',
  ),
  migration: ours(
    z.boolean().default(true),
    'Whether a stream whose engine fails continues on another engine (--no-migration if false).',
  ),
  admission: ours(
    admissionSchema,
    'Queue of requests in the router while all engines are saturated.',
  ),
  tls: ours(
    listenerTlsSchema,
    'Certificate of the router; it serves https if "cert" is set. Paths as "spillway up" sees them.',
  ),
  engineTls: ours(
    engineTlsSchema,
    'How the router checks https engines, and proves itself to them.',
  ),
  hedging: ours(
    hedgingSchema,
    'Requests whose first byte is late are sent to a second engine. Off unless budget is set.',
  ),
  routerPeers: ours(
    z.array(text.min(1)).default([]),
    'URLs of the routers in front of the same engines, which may include this one. Routers share what they send. A host name stands for all its addresses.',
  ),
  slowStart: ours(
    z.number().min(0).max(3600).default(slowStartSecondsDefault),
    'Seconds in which the share of an engine that has started, restarted or come back grows to a full one; 0 for none.',
  ),
  drainDelay: ours(
    z.number().min(0).max(3600).optional(),
    'Seconds after SIGTERM in which the router still accepts requests while /health fails (--drain-delay); 0 under "spillway up" if unset.',
  ),
  tokenizer: ours(
    z.array(text.min(1)).default([]),
    'Where the router finds the tokenizers of models whose engines publish KV events: auto (the default), hub, none, a folder or a hub id, or MODEL=SOURCE for one model.',
  ),
  engineTokenizeTimeout: ours(
    z.number().min(0).default(0),
    'How long a pick may wait for the /tokenize of an engine if the router has no tokenizer, in seconds; 0 never asks an engine.',
  ),
  pickHeader: ours(
    z.boolean().optional(),
    'Whether clients are told why an engine was picked, and the URLs of engines (--pick-header). Unset: only on a loopback address without apiKey; "spillway up" also shows them on a loopback address with apiKey.',
  ),
  cacheSaltFrom: ours(
    text
      .regex(/^(key|header(:[\w!#$%&'*+.^`|~-]+)?)?$/)
      .meta({ examples: ['key', 'header:x-team'] })
      .default(''),
    'What tells tenants apart, each of which gets a KV cache of its own in engines: key, header (x-tenant-id) or header:NAME (--cache-salt-from); empty for one cache for all.',
  ),
  extraArgs: upstream(z.array(z.string()).default([]), 'More arguments of the router.'),
  otel: upstream(
    section({
      endpoint: upstream(text.default(''), 'OTLP endpoint; tracing is on if it is set.'),
      serviceName: upstream(text.default('vllm-router'), 'Service name of the traces.'),
      secure: upstream(z.boolean().default(false), 'Whether to use TLS.'),
    }),
    'OpenTelemetry traces.',
  ),
  hf_token: upstream(text.default(''), 'Hugging Face token of the router.'),
  vllmApiKey: upstream(
    secretReference.default({ secretName: '', secretKey: '' }),
    "Secret with the engines' API key; servingEngineSpec.vllmApiKey if unset.",
  ),
  apiKey: ours(
    secret.default({ secretName: '', secretKey: '' }),
    'Key that clients must send; with the chart, also the secret that contains it.',
  ),
  peersKey: ours(
    secret.default({ secretName: '', secretKey: '' }),
    'Key that routers share among themselves; with the chart, also the secret that contains it.',
  ),
  lmcacheConfig: upstream(
    section({ logLevel: upstream(text.default('INFO'), 'LMCache log level of the router.') }),
    'LMCache in the router.',
  ),
  lmcacheControllerPort: upstream(
    z.union([portNumber, z.string()]).default(''),
    'Port of the LMCache controller in the router, for kvaware and predictive.',
  ),
  lmcacheControllerReplyPort: upstream(
    z.union([portNumber, z.string()]).optional(),
    'Port where that controller replies.',
  ),
  lmcacheControllerHeartbeatPort: upstream(
    z.union([portNumber, z.string()]).optional(),
    'Port of its heartbeats.',
  ),
  repository: upstream(
    text.default('lmcache/lmstack-router'),
    "Image of the router, without tag. For upstream's router Spillway's own runs, with spillway.image, unless it lacks the routingLogic.",
  ),
  tag: upstream(text.default('latest'), 'Tag of that image.'),
  digest: imageDigest(),
  imagePullPolicy: upstream(pullPolicy.default('Always'), 'When to pull it.'),
  imagePullSecrets: upstream(kubernetesList.default([]), 'Secrets with registry credentials.'),
  replicaCount: upstream(count.default(1), 'Number of router pods.'),
  serviceAccountName: upstream(text.default(''), 'Existing service account; "" creates one.'),
  env: upstream(kubernetesList.default([]), 'Environment variables of the router.'),
  extraPorts: upstream(kubernetesList.default([]), 'More ports of the router Service.'),
  extraVolumes: upstream(kubernetesList.default([]), 'More volumes of the router pod.'),
  extraVolumeMounts: upstream(kubernetesList.default([]), 'More volume mounts of the router.'),
  securityContext: upstream(kubernetesObject.default({}), 'Security context of the pod.'),
  containerSecurityContext: upstream(
    kubernetesObject.default({}),
    'Security context of the container.',
  ),
  autoscaling: upstream(
    section({
      enabled: upstream(z.boolean().default(false), 'Scale the router by CPU utilization.'),
      minReplicas: upstream(count.default(1), 'Minimum number of router pods.'),
      maxReplicas: upstream(count.default(3), 'Maximum number of router pods.'),
      targetCPUUtilizationPercentage: upstream(
        positive.default(80),
        'Target CPU utilization, in percent of the request.',
      ),
    }),
    'Autoscaling of the router.',
  ),
  pdb: upstream(pdb.prefault({}), 'PodDisruptionBudget of the router.'),
  priorityClassName: upstream(text.default(''), 'Priority class of the pod.'),
  serviceType: upstream(serviceType.default('ClusterIP'), 'Type of the router Service.'),
  serviceAnnotations: upstream(stringMap.default({}), 'Annotations of that Service.'),
  nodePort: upstream(
    z.union([z.int().min(30000).max(32767), z.null()]).default(null),
    'Port on every node, with serviceType NodePort; null lets Kubernetes choose.',
  ),
  strategy: upstream(kubernetesObject.default({}), 'Deployment strategy.'),
  resources: upstream(
    kubernetesObject.default({
      requests: { cpu: '400m', memory: '1000Mi' },
      limits: { memory: '1000Mi' },
    }),
    'Resource requests and limits of the router.',
  ),
  labels: upstream(
    stringMap.default({ environment: 'router', release: 'router' }),
    'Labels of the router.',
  ),
  podAnnotations: upstream(stringMap.default({}), 'Annotations of the pod.'),
  ingress: upstream(
    section({
      enabled: upstream(z.boolean().default(false), 'Whether to create an Ingress.'),
      className: upstream(text.default(''), 'Ingress class.'),
      annotations: upstream(stringMap.default({}), 'Annotations of the Ingress.'),
      hosts: upstream(
        z
          .array(
            z.strictObject({
              host: upstream(text.optional(), 'Host name.'),
              paths: upstream(
                z
                  .array(
                    z.strictObject({
                      path: upstream(text, 'Path.'),
                      pathType: upstream(text.optional(), 'How the path matches.'),
                    }),
                  )
                  .optional(),
                'Paths of this host.',
              ),
            }),
          )
          .default([{ host: 'vllm-router.local', paths: [{ path: '/', pathType: 'Prefix' }] }]),
        'Hosts of the Ingress.',
      ),
      tls: upstream(kubernetesList.default([]), 'TLS secrets and their hosts.'),
    }),
    'Ingress to the router.',
  ),
  route: upstream(
    z.record(z.string(), route).default({ main: mainRoute }),
    'Gateway API routes to the router, by name.',
  ),
  drainSeconds: ours(
    count.default(120),
    'Chart: how long requests may take to finish when a router pod is stopped (--shutdown-timeout).',
  ),
  topologySpreadConstraints: ours(
    kubernetesList.default([
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
      },
    ]),
    'Chart: how router pods are spread; without labelSelector, that of the router.',
  ),
  affinity: upstream(kubernetesObject.default({}), 'Affinity of the pod.'),
  nodeSelector: ours(stringMap.optional(), 'Chart: labels of the nodes to run on.'),
  nodeSelectorTerms: upstream(kubernetesList.default([]), 'Nodes to run on.'),
  ...podKeysOf(
    'tolerations',
    'nodeName',
    'runtimeClassName',
    'schedulerName',
    'annotations',
    'podLabels',
    'envFromSecret',
  ),
  livenessProbe: upstream(
    probe.default({
      initialDelaySeconds: 30,
      periodSeconds: 5,
      failureThreshold: 3,
      ...routerHealth,
    }),
    'Liveness probe of the router.',
  ),
  startupProbe: upstream(
    probe.default({
      initialDelaySeconds: 5,
      periodSeconds: 5,
      failureThreshold: 3,
      ...routerHealth,
    }),
    'Startup probe of the router.',
  ),
  readinessProbe: upstream(
    probe.default({
      initialDelaySeconds: 30,
      periodSeconds: 5,
      failureThreshold: 3,
      ...routerHealth,
    }),
    'Readiness probe of the router.',
  ),
  serviceMonitor: upstream(serviceMonitor, 'How Prometheus Operator scrapes the router.'),
  enablePD: ignored(z.boolean().optional(), 'Use routingLogic: disaggregated_prefill.'),
};

export const routerSpec = section(withPolicyKeys(routerKeys));
