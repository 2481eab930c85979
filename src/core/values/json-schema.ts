// Writes values.schema.json, with which editors and Helm check a values file.
import { rawJsonSchema } from './schema-node.ts';

/** Returns the JSON Schema (draft 7) of the values file, with a line break at the end. */
export function valuesJsonSchema(): string {
  const schema = {
    title: 'Spillway values',
    description:
      'The values file of Spillway: the keys of the vLLM production-stack Helm chart, and ' +
      "Spillway's own, which are marked with x-origin.",
    ...rawJsonSchema(),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
