// charts/spillway/crds/crd-lora-adapter.yaml: the definition that the operator has, for releases of the chart without it.
import { stringify } from 'yaml';
import { crds } from '../src/core/operator/index.ts';

export function loraAdapterCrd(): string {
  const definition = crds().find(
    (crd) =>
      (crd as { readonly spec: { readonly names: { readonly kind: string } } }).spec.names.kind ===
      'LoraAdapter',
  );
  return [
    '# Written by "npm run docs" from src/core/operator; do not edit.',
    stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false }),
  ].join('\n');
}
