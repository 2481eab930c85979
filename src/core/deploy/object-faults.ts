// Finds parts of pods that Kubernetes would refuse: names that it has not, words that it does not know.
import { nearest } from '../base/index.ts';
import { type ChartFault, foreignKeys, valueFault } from './chart-faults.ts';

type Path = ChartFault['path'];

/** What Kubernetes takes at one place. */
type Shape =
  /** One of these words. */
  | { readonly words: readonly string[] }
  /** A list, each item of one shape. */
  | { readonly items: Shape }
  /** An object; `undefined` stands for any value. */
  | {
      readonly keys: Readonly<Record<string, Shape | undefined>>;
      readonly required?: readonly string[];
    };

const text = undefined;
const accessModes: Shape = {
  items: { words: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'] },
};
const keyOf: Shape = { keys: { name: text, key: text, optional: text }, required: ['name', 'key'] };
const environment: Shape = {
  items: {
    keys: {
      name: text,
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
  items: {
    keys: {
      name: text,
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
  items: {
    keys: {
      name: text,
      configMap: { keys: { name: text, items: keyItems, defaultMode: text, optional: text } },
      secret: { keys: { secretName: text, items: keyItems, defaultMode: text, optional: text } },
      emptyDir: { keys: { medium: text, sizeLimit: text } },
      persistentVolumeClaim: {
        keys: { claimName: text, readOnly: text },
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
const shapes: ReadonlyMap<string, Shape> = new Map<string, Shape>([
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
]);

/**
 * Returns a fault for each of them.
 *
 * @param values Any part of the values.
 * @param path Where the part is.
 */
export function objectFaults(values: unknown, path: Path = []): readonly ChartFault[] {
  if (Array.isArray(values)) {
    return values.flatMap((item, index) => objectFaults(item, [...path, index]));
  }
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values).flatMap(([key, value]) => {
    if (path.length === 0 && foreignKeys.has(key)) return [];
    const shape = shapes.get(key);
    return shape === undefined
      ? objectFaults(value, [...path, key])
      : faultsOf(value, shape, [...path, key]);
  });
}

function faultsOf(value: unknown, shape: Shape | undefined, path: Path): readonly ChartFault[] {
  if (shape === undefined || value === undefined || value === null) return [];
  if ('words' in shape) return wordFaults(value, shape.words, path);
  if ('items' in shape) {
    if (!Array.isArray(value)) return [valueFault(path, 'must be a list in Kubernetes')];
    return value.flatMap((item, index) => faultsOf(item, shape.items, [...path, index]));
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    return [
      valueFault(path, `must be an object in Kubernetes: ${quoted(Object.keys(shape.keys))}`),
    ];
  }
  return [
    ...(shape.required ?? [])
      .filter((key) => (value as Record<string, unknown>)[key] === undefined)
      .map((key) => valueFault(path, `needs "${key}", which Kubernetes requires there`)),
    ...Object.entries(value).flatMap(([key, below]) =>
      Object.hasOwn(shape.keys, key)
        ? faultsOf(below, shape.keys[key], [...path, key])
        : [keyFault(path, key, Object.keys(shape.keys))],
    ),
  ];
}

function wordFaults(value: unknown, words: readonly string[], path: Path): ChartFault[] {
  if (typeof value === 'string' && words.includes(value)) return [];
  return [valueFault(path, `is ${JSON.stringify(value)}; Kubernetes knows ${quoted(words)}`)];
}

function keyFault(path: Path, key: string, known: readonly string[]): ChartFault {
  const near = nearest(key, known);
  return valueFault(
    [...path, key],
    `is not known to Kubernetes${near === undefined ? `, which has ${quoted(known)} there` : ` (did you mean "${near}"?)`}`,
  );
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}
