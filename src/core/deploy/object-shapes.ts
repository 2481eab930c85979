// The parts of pods that values files hold, as the Kubernetes API has them.

/** What Kubernetes takes at one place. */
export type Shape =
  /** One of these words. */
  | { readonly words: readonly string[] }
  /** A name of one kind. */
  | { readonly name: NameKind }
  /** A list, each item of one shape; `unique`: a field in which no two are alike. */
  | { readonly items: Shape; readonly unique?: string }
  /** An object; `undefined` stands for any value. */
  | {
      readonly keys: Readonly<Record<string, Shape | undefined>>;
      readonly required?: readonly string[];
    };

export type NameKind = 'label' | 'object' | 'variable';

const text = undefined;
const objectName: Shape = { name: 'object' };
/** @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
export const nameRules: Readonly<
  Record<
    NameKind,
    { readonly pattern: RegExp; readonly charactersMax: number; readonly rule: string }
  >
> = {
  label: {
    pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    charactersMax: 63,
    rule: 'at most 63 lower-case letters, digits and "-"',
  },
  object: {
    pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    charactersMax: 253,
    rule: 'at most 253 lower-case letters, digits, "-" and "."',
  },
  variable: {
    pattern: /^[\x20-\x3c\x3e-\x7e]+$/,
    charactersMax: 65_536,
    rule: 'printable characters of ASCII without "="',
  },
};
const accessModes: Shape = {
  items: { words: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'] },
};
const keyOf: Shape = {
  keys: { name: objectName, key: text, optional: text },
  required: ['name', 'key'],
};
const environment: Shape = {
  items: {
    keys: {
      name: { name: 'variable' },
      value: text,
      valueFrom: {
        keys: {
          secretKeyRef: keyOf,
          configMapKeyRef: keyOf,
          fieldRef: { keys: { apiVersion: text, fieldPath: text }, required: ['fieldPath'] },
          resourceFieldRef: {
            keys: { containerName: text, resource: text, divisor: text },
            required: ['resource'],
          },
          fileKeyRef: text,
        },
      },
    },
    required: ['name'],
  },
};
const tolerations: Shape = {
  items: {
    keys: {
      key: text,
      operator: { words: ['Exists', 'Equal', 'Lt', 'Gt'] },
      value: text,
      effect: { words: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
      tolerationSeconds: text,
    },
  },
};
const selectorWords = { words: ['In', 'NotIn', 'Exists', 'DoesNotExist'] };
const labelSelector: Shape = {
  keys: {
    matchLabels: text,
    matchExpressions: {
      items: {
        keys: { key: text, operator: selectorWords, values: text },
        required: ['key', 'operator'],
      },
    },
  },
};
const nodeExpressions: Shape = {
  items: {
    keys: { key: text, operator: { words: [...selectorWords.words, 'Gt', 'Lt'] }, values: text },
    required: ['key', 'operator'],
  },
};
const nodeTerm: Shape = {
  keys: { matchExpressions: nodeExpressions, matchFields: nodeExpressions },
};
const podTerm: Shape = {
  keys: {
    labelSelector,
    namespaceSelector: labelSelector,
    namespaces: text,
    topologyKey: text,
    matchLabelKeys: text,
    mismatchLabelKeys: text,
  },
  required: ['topologyKey'],
};
const podAffinity: Shape = {
  keys: {
    requiredDuringSchedulingIgnoredDuringExecution: { items: podTerm },
    preferredDuringSchedulingIgnoredDuringExecution: {
      items: {
        keys: { weight: text, podAffinityTerm: podTerm },
        required: ['weight', 'podAffinityTerm'],
      },
    },
  },
};
const affinity: Shape = {
  keys: {
    nodeAffinity: {
      keys: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          keys: { nodeSelectorTerms: { items: nodeTerm } },
          required: ['nodeSelectorTerms'],
        },
        preferredDuringSchedulingIgnoredDuringExecution: {
          items: {
            keys: { weight: text, preference: nodeTerm },
            required: ['weight', 'preference'],
          },
        },
      },
    },
    podAffinity,
    podAntiAffinity: podAffinity,
  },
};
const spread: Shape = {
  items: {
    keys: {
      maxSkew: text,
      minDomains: text,
      topologyKey: text,
      whenUnsatisfiable: { words: ['DoNotSchedule', 'ScheduleAnyway'] },
      labelSelector,
      matchLabelKeys: text,
      nodeAffinityPolicy: { words: ['Honor', 'Ignore'] },
      nodeTaintsPolicy: { words: ['Honor', 'Ignore'] },
    },
    required: ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
  },
};
const mounts: Shape = {
  unique: 'mountPath',
  items: {
    keys: {
      name: { name: 'label' },
      mountPath: text,
      subPath: text,
      subPathExpr: text,
      readOnly: text,
      recursiveReadOnly: { words: ['Disabled', 'IfPossible', 'Enabled'] },
      mountPropagation: { words: ['None', 'HostToContainer', 'Bidirectional'] },
    },
    required: ['name', 'mountPath'],
  },
};
const keyItems: Shape = {
  items: { keys: { key: text, path: text, mode: text }, required: ['key', 'path'] },
};
const volumes: Shape = {
  unique: 'name',
  items: {
    keys: {
      name: { name: 'label' },
      configMap: { keys: { name: objectName, items: keyItems, defaultMode: text, optional: text } },
      secret: {
        keys: { secretName: objectName, items: keyItems, defaultMode: text, optional: text },
      },
      emptyDir: { keys: { medium: text, sizeLimit: text } },
      persistentVolumeClaim: {
        keys: { claimName: objectName, readOnly: text },
        required: ['claimName'],
      },
      hostPath: {
        keys: {
          path: text,
          type: {
            words: [
              ...['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket'],
              ...['CharDevice', 'BlockDevice'],
            ],
          },
        },
        required: ['path'],
      },
      nfs: { keys: { server: text, path: text, readOnly: text }, required: ['server', 'path'] },
      // Rarer sources, whose fields Kubernetes checks.
      ...Object.fromEntries(
        [
          ...['projected', 'downwardAPI', 'csi', 'ephemeral', 'image', 'iscsi', 'fc', 'cephfs'],
          ...['rbd', 'glusterfs', 'azureDisk', 'azureFile', 'gcePersistentDisk', 'portworxVolume'],
          ...['awsElasticBlockStore', 'vsphereVolume', 'flexVolume', 'flocker', 'gitRepo'],
          ...['cinder', 'photonPersistentDisk', 'quobyte', 'scaleIO', 'storageos'],
        ].map((key) => [key, text]),
      ),
    },
    required: ['name'],
  },
};

/**
 * By the key of a values file, wherever it stands.
 * @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
export const shapes: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['env', environment],
  ['extraEnv', environment],
  ['tolerations', tolerations],
  ['affinity', affinity],
  ['topologySpreadConstraints', spread],
  ['extraVolumes', volumes],
  ['extraVolumeMounts', mounts],
  ['nodeSelectorTerms', { items: nodeTerm }],
  ['pvcAccessMode', accessModes],
  ['accessModes', accessModes],
  ...['secretName', 'storageClass', 'runtimeClassName', 'priorityClassName', 'nodeName'].map(
    (key): [string, Shape] => [key, objectName],
  ),
]);
