// What a cluster needs to run the operator: its definitions, what it may do, and its Deployment.
import { crds } from './crds.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import { group } from './resources.ts';

export interface ManifestOptions {
  readonly namespace: string;
  readonly image: string;
  readonly replicas: number;
}

const name = 'spillway-operator';
const read = ['get', 'list', 'watch'];
const own = [...read, 'create', 'update', 'patch', 'delete'];

/** Port of the operator's health checks. */
export const healthPort = 8081;

/**
 * Least rights. It makes Roles for routers, which Kubernetes allows only to somebody who may do what they say: read pods.
 */
const operatorRules = [
  {
    apiGroups: [group],
    resources: ['vllmruntimes', 'vllmrouters', 'cacheservers'],
    verbs: read,
  },
  {
    apiGroups: [group],
    resources: ['vllmruntimes/status', 'vllmrouters/status', 'cacheservers/status'],
    verbs: ['get', 'patch'],
  },
  { apiGroups: [group], resources: ['vllmruntimes/scale'], verbs: ['patch'] },
  {
    // blockOwnerDeletion of an owned object needs it where the API server checks owner references.
    apiGroups: [group],
    resources: ['vllmruntimes/finalizers', 'vllmrouters/finalizers', 'cacheservers/finalizers'],
    verbs: ['update'],
  },
  { apiGroups: ['apps'], resources: ['deployments', 'controllerrevisions'], verbs: own },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: own },
  {
    apiGroups: [''],
    resources: ['services', 'configmaps', 'serviceaccounts', 'persistentvolumeclaims'],
    verbs: own,
  },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: own },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: own },
  { apiGroups: ['keda.sh'], resources: ['scaledobjects'], verbs: own },
  // Adapters: a finalizer, the annotation by which a router reads a pod's models again, the secrets that a resource names.
  { apiGroups: [group], resources: ['loraadapters'], verbs: [...read, 'patch'] },
  { apiGroups: [group], resources: ['loraadapters/status'], verbs: ['get', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: [...read, 'patch'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create'] },
];

const leaseRules = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
];

/** All objects, in the order in which they are applied. */
export function manifests({ namespace, image, replicas }: ManifestOptions): readonly object[] {
  const labels = { app: name, 'app.kubernetes.io/name': name };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const rbac = 'rbac.authorization.k8s.io';
  return [
    ...crds(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name }, rules: operatorRules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      subjects,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
    },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name, namespace }, rules: leaseRules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace },
      subjects,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
    },
    deployment(namespace, image, replicas, labels),
  ];
}

function deployment(
  namespace: string,
  image: string,
  replicas: number,
  labels: Readonly<Record<string, string>>,
): KubernetesObject {
  const probe = (path: string) => ({ httpGet: { path, port: healthPort }, periodSeconds: 5 });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'operator',
              image,
              args: ['operator', '--host', '0.0.0.0', '--leader-elect-namespace', namespace],
              ports: [{ name: 'health', containerPort: healthPort }],
              readinessProbe: probe('/readyz'),
              livenessProbe: { ...probe('/healthz'), failureThreshold: 6 },
              resources: {
                requests: { cpu: '50m', memory: '128Mi' },
                limits: { memory: '256Mi' },
              },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  };
}
