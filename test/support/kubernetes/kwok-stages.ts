// What kwok does with fake nodes and their pods: nodes become ready and stay so, pods run at once, and go when deleted.
// kwok has no stages of its own.

/** Annotation of pods that never become ready. */
export const neverReady = 'spillway.test/never-ready';

/** Fake pods have the address of their fake node, that of kwok itself. */
export const kwokConfiguration = `
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options: { nodeLeaseDurationSeconds: 40, nodeLeaseParallelism: 2, nodePlayStageParallelism: 2, podPlayStageParallelism: 4 }
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: node-initialize }
spec:
  resourceRef: { apiGroup: v1, kind: Node }
  selector:
    matchExpressions:
      - { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"] }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      {{ range NodeConditions }}
      - { type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }} }
      {{ end }}
      addresses:
      - { type: InternalIP, address: {{ NodeIP | Quote }} }
      allocatable: { cpu: "64", memory: 512Gi, pods: "2000", ephemeral-storage: 1Ti, nvidia.com/gpu: "8" }
      capacity: { cpu: "64", memory: 512Gi, pods: "2000", ephemeral-storage: 1Ti, nvidia.com/gpu: "8" }
      phase: Running
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-ready }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: '.metadata.deletionTimestamp', operator: DoesNotExist }
      - { key: '.status.podIP', operator: DoesNotExist }
      - { key: '.metadata.annotations["${neverReady}"]', operator: DoesNotExist }
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      - { type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }} }
      - { type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }} }
      - { type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }} }
      containerStatuses:
      {{ range .spec.containers }}
      - { name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true, started: true, restartCount: 0, state: { running: { startedAt: {{ $now | Quote }} } } }
      {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
      phase: Running
      startTime: {{ $now | Quote }}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: { name: pod-delete }
spec:
  resourceRef: { apiGroup: v1, kind: Pod }
  selector:
    matchExpressions:
      - { key: '.metadata.deletionTimestamp', operator: Exists }
  next:
    finalizers: { empty: true }
    delete: true
`;

/** A node that kwok keeps ready, with 8 GPUs. */
export function fakeNode(name: string): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Node' },
    metadata: {
      name,
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
      labels: { 'kubernetes.io/hostname': name, type: 'kwok' },
    },
  };
}
