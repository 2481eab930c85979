// The vocabulary of the values schema: the few kinds of value that its keys take, each with the
// meaning that the reference page and values.schema.json print.
import { z } from 'zod';

/** A free-form map that goes to Kubernetes as it stands. */
export const kubernetesObject = z.record(z.string(), z.unknown());
/** A list of free-form maps that goes to Kubernetes as it stands. */
export const kubernetesList = z.array(kubernetesObject);
/** Labels, annotations, node selectors. */
export const stringMap = z.record(z.string(), z.string());
/** A count that may be zero. */
export const count = z.int().min(0);
/** A count of at least one. */
export const positive = z.int().min(1);
export const portNumber = z.int().min(1).max(65535);
/** Named ports exist only in Kubernetes objects. */
export const port = z.union([portNumber, z.string().min(1)]);
/** What a text field holds when nothing is set: the chart tests for the empty string. */
export const text = z.string();
/**
 * A Kubernetes quantity, as a number or as text ("500m", "16Gi").
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export const quantity = z.union([
  z.number().min(0),
  z.string().regex(/^([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$/),
]);
/** Whole numbers that the chart quotes, so that either spelling reaches the engine. */
export const numberOrText = z.union([z.number(), z.string()]);
export const pullPolicy = z.enum(['Always', 'IfNotPresent', 'Never']);
export const serviceType = z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']);
export const secretReference = z.strictObject({
  secretName: text.optional().meta({ description: 'Name of the existing Kubernetes secret.' }),
  secretKey: text.optional().meta({ description: 'Key within that secret.' }),
});
/** The secret itself, or where it is. */
export const secret = z.union([z.string(), secretReference]);

/** A key of the upstream chart. */
export function upstream<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}

/** A key that only Spillway knows. */
export function ours<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description, 'x-origin': 'spillway' });
}

/** A key outside lists that upstream's own examples carry and its templates do not read. */
export function ignored<T extends z.ZodType>(schema: T, instead: string): T {
  return schema.meta({
    ...schema.meta(),
    description: `No effect, as in the upstream chart. ${instead}`,
    'x-ignored': true,
  });
}

/** A part of the file whose keys all have defaults, so the part itself may be left out. */
export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape).prefault({} as never);
}

/** A probe of a pod, in the fields that Kubernetes has. */
export const probe = z.strictObject({
  initialDelaySeconds: upstream(count.optional(), 'Seconds from container start to the first try.'),
  periodSeconds: upstream(positive.optional(), 'Seconds between two tries.'),
  failureThreshold: upstream(positive.optional(), 'Failures in a row before the probe has failed.'),
  successThreshold: upstream(
    positive.optional(),
    'Successes in a row before the probe has succeeded.',
  ),
  timeoutSeconds: upstream(positive.optional(), 'Seconds to wait for the answer of one try.'),
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

/** Whether Prometheus Operator scrapes, and how. */
export const serviceMonitor = section({
  enabled: upstream(z.boolean().default(false), 'Whether to create a ServiceMonitor.'),
  additionalLabels: upstream(stringMap.default({}), 'Labels to add to the ServiceMonitor.'),
  interval: upstream(text.default('30s'), 'How often to scrape.'),
  scrapeTimeout: upstream(text.default('25s'), 'When to give one scrape up.'),
  honorLabels: upstream(
    z.boolean().default(false),
    'Whether labels of the scraped metrics win over labels of the target.',
  ),
  metricRelabelings: upstream(kubernetesList.default([]), 'Relabelling of samples.'),
  relabelings: upstream(kubernetesList.default([]), 'Relabelling of targets.'),
});

const pdbShape = {
  labels: upstream(stringMap.default({}), 'Labels of the PodDisruptionBudget.'),
  annotations: upstream(stringMap.default({}), 'Annotations of the PodDisruptionBudget.'),
  minAvailable: upstream(
    z.union([count, z.string(), z.null()]).default(null),
    'Pods that stay, as a number or a percentage. Not with maxUnavailable.',
  ),
  maxUnavailable: upstream(
    z.union([count, z.string(), z.null()]).default(null),
    'Pods that may go, as a number or a percentage. Not with minAvailable.',
  ),
};

/** A PodDisruptionBudget. */
export const pdb = z.strictObject({
  enabled: upstream(z.boolean().default(false), 'Whether to create a PodDisruptionBudget.'),
  ...pdbShape,
});
