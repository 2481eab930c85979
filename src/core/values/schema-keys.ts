// The vocabulary of the values schema: the kinds of value of its keys, each with the description
// that the reference page and values.schema.json print.
import { z } from 'zod';

/** A free-form map that goes to Kubernetes unchanged. */
export const kubernetesObject = z.record(z.string(), z.unknown());
/** A list of free-form maps that goes to Kubernetes unchanged. */
export const kubernetesList = z.array(kubernetesObject);
/** Labels, annotations, node selectors. */
export const stringMap = z.record(z.string(), z.string());
/** A count that may be zero. */
export const count = z.int().min(0);
/** A count of at least one. */
export const positive = z.int().min(1);
export const portNumber = z.int().min(1).max(65535);
/** Named ports exist only in Kubernetes objects. */
const port = z.union([portNumber, z.string().min(1)]);
/** The value of an unset text field: the chart tests for the empty string. */
export const text = z.string();
/**
 * A Kubernetes quantity, as a number or as text ("500m", "16Gi").
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export const quantity = z.union([
  z.number().min(0),
  z.string().regex(/^([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$/),
]);
/** LMCache's sizes: a number of GB, as a number or as text. */
export const gigabytes = z.union([
  z.number().min(0),
  z
    .string()
    // An empty text is as no key, as in upstream's chart.
    .regex(/^([0-9]+(\.[0-9]+)?)?$/)
    .meta({ examples: ['60'] }),
]);
/** Whole numbers that the chart quotes, so either spelling works. */
export const numberOrText = z.union([z.number(), z.string()]);
export const pullPolicy = z.enum(['Always', 'IfNotPresent', 'Never']);
export const serviceType = z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']);
export const secretReference = z.strictObject({
  secretName: text.optional().meta({ description: 'Name of the existing Kubernetes secret.' }),
  secretKey: text.optional().meta({ description: 'Key within that secret.' }),
});
/** The secret itself, or a reference to it. */
export const secret = z.union([z.string(), secretReference]);

/** Digest of an image. */
const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ examples: [`sha256:${'0123456789abcdef'.repeat(4)}`] });

/** The key of an image's digest, which replaces its tag. */
export function imageDigest() {
  return ours(digest.optional(), 'Digest of the image (sha256:…), used instead of the tag.');
}

/** A key of the upstream chart. */
export function upstream<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}

/** A key of Spillway's own. */
export function ours<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description, 'x-origin': 'spillway' });
}

/** A key that occurs in files for the upstream chart but is not used by its templates. */
export function ignored<T extends z.ZodType>(schema: T, instead: string): T {
  return schema.meta({
    ...schema.meta(),
    description: `No effect, as in the upstream chart. ${instead}`,
    'x-ignored': true,
  });
}

/**
 * A key of earlier releases of the upstream chart.
 *
 * @param last The last release whose templates used it.
 */
export function former<T extends z.ZodType>(schema: T, last: string, instead: string): T {
  return schema.meta({
    ...schema.meta(),
    description: `No effect: it was a key of the upstream chart up to ${last}. ${instead}`,
    'x-ignored': true,
  });
}

/** A section whose keys all have defaults, so the section itself may be omitted. */
export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape).prefault({} as never);
}

/** A probe of a pod, with the fields of Kubernetes. */
export const probe = z.strictObject({
  initialDelaySeconds: upstream(
    count.optional(),
    'Seconds from container start to the first probe.',
  ),
  periodSeconds: upstream(positive.optional(), 'Seconds between two probes.'),
  failureThreshold: upstream(
    positive.optional(),
    'Consecutive failures after which the probe counts as failed.',
  ),
  successThreshold: upstream(
    positive.optional(),
    'Consecutive successes after which the probe counts as successful.',
  ),
  timeoutSeconds: upstream(positive.optional(), 'Timeout of a probe in seconds.'),
  httpGet: upstream(
    z
      .strictObject({
        path: upstream(text.optional(), 'Path of the HTTP request.'),
        port: upstream(port.optional(), 'Number or name of the container port.'),
        host: upstream(text.optional(), 'Host to connect to; the pod when unset.'),
        scheme: upstream(z.enum(['HTTP', 'HTTPS']).optional(), 'HTTP or HTTPS.'),
        httpHeaders: upstream(kubernetesList.optional(), 'Headers of the request.'),
      })
      .optional(),
    'Probe by an HTTP request.',
  ),
  exec: upstream(kubernetesObject.optional(), 'Probe by a command in the container.'),
  tcpSocket: upstream(kubernetesObject.optional(), 'Probe by a TCP connection.'),
  grpc: upstream(kubernetesObject.optional(), 'Probe by a gRPC health check.'),
});

/** Whether and how Prometheus Operator scrapes. */
export const serviceMonitor = section({
  enabled: upstream(z.boolean().default(false), 'Whether to create a ServiceMonitor.'),
  additionalLabels: upstream(stringMap.default({}), 'Labels to add to the ServiceMonitor.'),
  interval: upstream(text.default('30s'), 'How often to scrape.'),
  scrapeTimeout: upstream(text.default('25s'), 'Timeout of a scrape.'),
  honorLabels: upstream(
    z.boolean().default(false),
    'Whether labels of the scraped metrics take precedence over labels of the target.',
  ),
  metricRelabelings: upstream(kubernetesList.default([]), 'Relabelling of samples.'),
  relabelings: upstream(kubernetesList.default([]), 'Relabelling of targets.'),
});

const pdbShape = {
  labels: upstream(stringMap.default({}), 'Labels of the PodDisruptionBudget.'),
  annotations: upstream(stringMap.default({}), 'Annotations of the PodDisruptionBudget.'),
  minAvailable: upstream(
    z.union([count, z.string(), z.null()]).default(null),
    'Minimum number or percentage of available pods. Excludes maxUnavailable.',
  ),
  maxUnavailable: upstream(
    z.union([count, z.string(), z.null()]).default(null),
    'Maximum number or percentage of unavailable pods. Excludes minAvailable.',
  ),
};

/** A PodDisruptionBudget. */
export const pdb = z.strictObject({
  enabled: upstream(z.boolean().default(false), 'Whether to create a PodDisruptionBudget.'),
  ...pdbShape,
});

const podKeys = {
  tolerations: ours(kubernetesList.default([]), 'Chart: tolerations of the pods.'),
  nodeSelectorTerms: ours(kubernetesList.default([]), 'Chart: nodes to run on.'),
  nodeName: ours(text.default(''), 'Chart: node to run on.'),
  topologySpreadConstraints: ours(
    kubernetesList.default([]),
    'Chart: how the pods are spread; without labelSelector, that of the pods.',
  ),
  priorityClassName: ours(text.default(''), 'Chart: priority class of the pods.'),
  runtimeClassName: ours(text.default(''), 'Chart: runtime class of the pods.'),
  schedulerName: ours(text.default(''), 'Chart: scheduler of the pods.'),
  annotations: ours(stringMap.default({}), 'Chart: annotations of the Deployment.'),
  podAnnotations: ours(stringMap.default({}), 'Chart: annotations of the pods.'),
  podLabels: ours(stringMap.default({}), 'Chart: labels of the pods.'),
  env: ours(kubernetesList.default([]), 'Chart: environment variables.'),
  envFromSecret: ours(
    z.strictObject({ name: ours(text.optional(), 'Chart: name of the secret.') }).optional(),
    'Chart: secret whose entries become environment variables.',
  ),
  extraVolumes: ours(kubernetesList.default([]), 'Chart: more volumes of the pods.'),
  extraVolumeMounts: ours(
    kubernetesList.default([]),
    'Chart: more volume mounts of the container.',
  ),
  serviceAccountName: ours(text.default(''), 'Chart: existing service account.'),
};

/** Keys that say where and how a pod runs, in the words of the keys of engines. */
export function podKeysOf<K extends keyof typeof podKeys>(
  ...names: readonly K[]
): Pick<typeof podKeys, K> {
  return Object.fromEntries(names.map((name) => [name, podKeys[name]])) as Pick<typeof podKeys, K>;
}
