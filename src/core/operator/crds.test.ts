import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crds } from './crds.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly [keyword: string]: unknown;
}

/** What the API server knows; it refuses a definition with another keyword. */
const keywords = new Set([
  ...['type', 'properties', 'items', 'additionalProperties', 'required', 'description', 'default'],
  ...['enum', 'format', 'minimum', 'maximum', 'minLength', 'pattern'],
  ...['x-kubernetes-validations', 'x-kubernetes-preserve-unknown-fields'],
  ...['x-kubernetes-list-type', 'x-kubernetes-list-map-keys'],
]);

test('each definition is structural: a type at every place, and only keywords that the API server knows', () => {
  for (const crd of crds()) {
    const { spec } = crd as { spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] } };
    walk(spec.versions[0].schema.openAPIV3Schema, '');
  }
});

test('all fields of upstream are there', () => {
  const paths = new Set<string>();
  for (const crd of crds()) {
    const { spec } = crd as {
      spec: { names: { kind: string }; versions: [{ schema: { openAPIV3Schema: Schema } }] };
    };
    walk(spec.versions[0].schema.openAPIV3Schema, spec.names.kind, (path) => paths.add(path));
  }
  for (const path of [
    'VLLMRuntime.spec.deploymentConfig.sidecarConfig.env[].name',
    'VLLMRuntime.spec.autoscalingConfig.scaleDownPolicy.scaleToZeroDelaySeconds',
    'VLLMRuntime.status.unavailableReplicas',
    'VLLMRouter.spec.vllmApiKeySecret.name',
    'VLLMRouter.status.activeRuntimes',
    'CacheServer.spec.deploymentStrategy',
    'LoraAdapter.spec.loraAdapterDeploymentConfig.algorithm',
    'LoraAdapter.status.loadedAdapters[].podAssignments.podName',
  ]) {
    assert.ok(paths.has(path), path);
  }
});

function walk(schema: Schema, path: string, see: (path: string) => void = () => {}): void {
  see(path);
  // The one exception of the API server.
  if ('x-kubernetes-int-or-string' in schema) return;
  assert.ok(schema.type, `${path} has a type`);
  for (const keyword of Object.keys(schema))
    assert.ok(keywords.has(keyword), `${path}: ${keyword}`);
  assert.ok(!(schema.properties && schema.additionalProperties), path);
  for (const [key, child] of Object.entries(schema.properties ?? {}))
    walk(child, `${path}.${key}`, see);
  if (schema.items) walk(schema.items, `${path}[]`, see);
  if (schema.additionalProperties) walk(schema.additionalProperties, `${path}.NAME`, see);
}
