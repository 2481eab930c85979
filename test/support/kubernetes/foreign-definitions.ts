// Installs the definitions of KEDA, Prometheus Operator, KubeRay and Gateway API in a control plane, as those projects publish them.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { until } from '../until.ts';
import type { ControlPlane } from './control-plane.ts';

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

const folder = join(import.meta.dirname, 'definitions');
const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** @param group Of these definitions only, such as `keda.sh`. */
export async function installDefinitions(cluster: ControlPlane, group = ''): Promise<void> {
  const files = globSync(`${group}*.yaml.gz`, { cwd: folder });
  for (const file of files) {
    const text = gunzipSync(readFileSync(join(folder, file))).toString();
    const definition = parse(text) as Definition;
    await cluster.expect('POST', path, definition);
    // Objects of a kind are served a moment after its definition.
    const { spec } = definition;
    for (const { name, served } of spec.versions) {
      const objects = `/apis/${spec.group}/${name}/${spec.names.plural}`;
      if (served) await until(async () => (await cluster.ask('GET', objects)).status === 200);
    }
  }
}
