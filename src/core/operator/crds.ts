// The CustomResourceDefinitions, made from the schemas: upstream's group, version, names and subresources, and rules that
// the API server checks.
import { z } from 'zod';
import { group, type Kind, specs } from './resources.ts';

interface KindNames {
  readonly plural: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
}

const names: Readonly<Record<Kind, KindNames>> = {
  VLLMRuntime: { plural: 'vllmruntimes', singular: 'vllmruntime', shortNames: ['vr'] },
  VLLMRouter: { plural: 'vllmrouters', singular: 'vllmrouter' },
  CacheServer: { plural: 'cacheservers', singular: 'cacheserver' },
  LoraAdapter: { plural: 'loraadapters', singular: 'loraadapter' },
};

export function pluralOf(kind: Kind): string {
  return names[kind].plural;
}

/** Columns of `kubectl get`. */
const columns: Readonly<Record<Kind, readonly (readonly [string, string, string])[]>> = {
  VLLMRuntime: [
    ['Model', 'string', '.spec.model.modelURL'],
    ['Status', 'string', '.status.modelStatus'],
    ['Ready', 'integer', '.status.availableReplicas'],
    ['Wanted', 'integer', '.spec.deploymentConfig.replicas'],
  ],
  VLLMRouter: [
    ['Status', 'string', '.status.status'],
    ['Engines', 'integer', '.status.activeRuntimes'],
  ],
  CacheServer: [['Status', 'string', '.status.status']],
  LoraAdapter: [['Phase', 'string', '.status.phase']],
};

const int32 = { type: 'integer', format: 'int32' };
const time = { type: 'string', format: 'date-time' };
const text = { type: 'string' };

const conditions = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: text,
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: text,
      message: text,
      observedGeneration: { type: 'integer', format: 'int64' },
      lastTransitionTime: time,
    },
  },
};

const shared = {
  conditions,
  lastUpdated: time,
  observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
};

const loadedAdapters = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'path', 'podAssignments', 'status'],
    properties: {
      name: text,
      path: text,
      status: text,
      loadTime: time,
      podAssignments: {
        type: 'object',
        required: ['namespace', 'podName'],
        properties: { namespace: text, podName: text },
      },
    },
  },
};

const statuses: Readonly<Record<Kind, object>> = {
  VLLMRuntime: {
    modelStatus: text,
    replicas: int32,
    availableReplicas: int32,
    updatedReplicas: int32,
    unavailableReplicas: int32,
    selector: text,
    rollout: {
      type: 'object',
      required: ['version'],
      properties: { version: text, servedVersion: text, failedVersion: text, failure: text },
    },
    ...shared,
  },
  VLLMRouter: { status: text, activeRuntimes: int32, ...shared },
  CacheServer: { status: text, ...shared },
  LoraAdapter: { phase: text, message: text, loadedAdapters, ...shared },
};

const scale = {
  specReplicasPath: '.spec.deploymentConfig.replicas',
  statusReplicasPath: '.status.replicas',
  labelSelectorPath: '.status.selector',
};

function crdOf(kind: Kind): object {
  const { plural, singular, shortNames } = names[kind];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        ...{ kind, listKind: `${kind}List`, plural, singular },
        ...(shortNames === undefined ? {} : { shortNames }),
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {}, ...(kind === 'VLLMRuntime' ? { scale } : {}) },
          additionalPrinterColumns: [
            ...columns[kind].map(([name, type, jsonPath]) => ({ name, type, jsonPath })),
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: text,
                kind: text,
                metadata: { type: 'object' },
                spec: structural(
                  z.toJSONSchema(specs[kind], { io: 'input', target: 'openapi-3.0' }),
                ),
                status: { type: 'object', properties: statuses[kind] },
              },
            },
          },
        },
      ],
    },
  };
}

/** All of them, in the order of their names. */
export function crds(): readonly object[] {
  return (Object.keys(specs) as Kind[]).map(crdOf);
}

/**
 * A JSON Schema as the API server takes it: "structural", with a type at each place, and without the keywords that it
 * does not know. A map of anything keeps what it has.
 *
 * @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
function structural(schema: unknown): unknown {
  const { properties, items, additionalProperties, ...rest } = schema as JsonSchema;
  const { $schema: _, propertyNames: _names, ...kept } = rest as Record<string, unknown>;
  const isFree =
    additionalProperties !== undefined && Object.keys(additionalProperties).length === 0;
  return {
    ...kept,
    ...(kept['type'] === 'integer' ? { format: 'int32' } : {}),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, one]) => [key, structural(one)]),
          ),
        }),
    ...(items === undefined ? {} : { items: structural(items) }),
    ...(isFree ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    ...(additionalProperties !== undefined && !isFree
      ? { additionalProperties: structural(additionalProperties) }
      : {}),
  };
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly items?: unknown;
  readonly additionalProperties?: object;
}
