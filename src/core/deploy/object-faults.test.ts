import assert from 'node:assert/strict';
import test from 'node:test';
import { objectFaults } from './object-faults.ts';

test('words, names and missing keys that Kubernetes would refuse', () => {
  const values = {
    servingEngineSpec: {
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exist', effect: 'NoScedule' }],
      modelSpec: [
        {
          pvcAccessMode: ['ReadWriteOnc'],
          env: [
            { name: 'A', valueFrom: { secretKeyRef: { name: 'x', keys: 'b' } } },
            { name: 'B', value: 'b' },
          ],
          extraVolumes: [{ name: 'v', persistentVolumeClaim: { claim: 'c' } }, { emptyDir: {} }],
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'in', values: ['b'] }] }],
        },
      ],
    },
  };

  assert.deepEqual(sentences(values), [
    'servingEngineSpec.tolerations[0].operator is "Exist"; Kubernetes knows "Exists", "Equal", "Lt", "Gt"',
    'servingEngineSpec.tolerations[0].effect is "NoScedule"; Kubernetes knows "NoSchedule", "PreferNoSchedule", "NoExecute"',
    'servingEngineSpec.modelSpec[0].pvcAccessMode[0] is "ReadWriteOnc"; Kubernetes knows "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"',
    'servingEngineSpec.modelSpec[0].env[0].valueFrom.secretKeyRef needs "key", which Kubernetes requires there',
    'servingEngineSpec.modelSpec[0].env[0].valueFrom.secretKeyRef.keys is not known to Kubernetes (did you mean "key"?)',
    'servingEngineSpec.modelSpec[0].extraVolumes[0].persistentVolumeClaim needs "claimName", which Kubernetes requires there',
    'servingEngineSpec.modelSpec[0].extraVolumes[0].persistentVolumeClaim.claim is not known to Kubernetes (did you mean "claimName"?)',
    'servingEngineSpec.modelSpec[0].extraVolumes[1] needs "name", which Kubernetes requires there',
    'servingEngineSpec.modelSpec[0].nodeSelectorTerms[0].matchExpressions[0].operator is "in"; Kubernetes knows "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"',
  ]);
});

test('names that Kubernetes would refuse, and those that occur twice', () => {
  assert.deepEqual(
    sentences({
      hf_token: { secretName: 'My_Secret', secretKey: 'k' },
      storageClass: 'My_SC',
      nodeName: '',
      env: [{ name: 'A=B' }, { name: 'vllm.opt-1' }],
      extraVolumes: [{ name: 'v' }, { name: 'v' }, { name: 'My_Vol' }],
      extraVolumeMounts: [
        { name: 'v', mountPath: '/a' },
        { name: 'v', mountPath: '/a' },
      ],
    }),
    [
      'hf_token.secretName is "My_Secret"; such a name has at most 253 lower-case letters, digits, "-" and "." in Kubernetes: "my-secret" would do',
      'storageClass is "My_SC"; such a name has at most 253 lower-case letters, digits, "-" and "." in Kubernetes: "my-sc" would do',
      'env[0].name is "A=B"; such a name has printable characters of ASCII without "=" in Kubernetes',
      'extraVolumes[2].name is "My_Vol"; such a name has at most 63 lower-case letters, digits and "-" in Kubernetes: "my-vol" would do',
      'extraVolumes[1].name is "v", as in an item before it; give it another',
      'extraVolumeMounts[1].mountPath is "/a", as in an item before it; give it another',
    ],
  );
});

test('parts of pods as people write them have no fault', () => {
  assert.deepEqual(
    sentences({
      tolerations: [{ operator: 'Exists' }, { key: 'a', value: 'b', effect: 'NoSchedule' }],
      env: [
        { name: 'EMPTY' },
        { name: 'N', value: 5 },
        { name: 'F', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 100,
              podAffinityTerm: {
                labelSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
                topologyKey: 'kubernetes.io/hostname',
              },
            },
          ],
        },
      },
      extraVolumes: [
        { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '8Gi' } },
        { name: 'models', hostPath: { path: '/models', type: 'Directory' } },
        { name: 'plain', emptyDir: null },
        { name: 's', secret: { secretName: 'x', items: [{ key: 'a', path: 'b' }] } },
        { name: 'p', projected: { sources: [] } },
      ],
      extraVolumeMounts: [{ name: 'shm', mountPath: '/dev/shm' }],
      extraObjects: [],
    }),
    [],
  );
});

test('another chart’s part and objects that go on as they are are left alone', () => {
  const tolerations = [{ operator: 'Exist' }];

  assert.deepEqual(
    sentences({
      'kube-prometheus-stack': { tolerations },
      extraObjects: [{ spec: { tolerations } }],
    }),
    [],
  );
});

function sentences(values: unknown): string[] {
  return objectFaults(values).map(({ sentence }) => sentence);
}
