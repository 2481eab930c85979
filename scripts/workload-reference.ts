// The text of docs/reference/workload.md, from the schemas of the workload file.
import { z } from 'zod';
import { allowedText, type SchemaNode } from '../src/core/values/index.ts';
import { arrivalFields, commonFields, workloadKinds } from '../src/core/workload/index.ts';

/** One table for each kind and each law of arrivals. */
export function workloadReference(): string {
  const kinds = [...workloadKinds.values()].map(
    ({ name, meaning, fields, takesArrivals }) =>
      `### \`kind: ${name}\`\n\n${meaning}${takesArrivals ? '' : ' It accepts no `arrivals`.'}\n\n${table(fields)}`,
  );
  const laws = Object.entries(arrivalFields).map(([name, fields]) =>
    name === 'clients'
      ? `### Closed loop\n\n${table(fields)}`
      : `### \`process: ${name}\`\n\n${table(fields)}`,
  );
  return [
    '# The workload file',
    '',
    'Written by `npm run docs` from `src/core/workload`; do not edit. Purpose and examples:',
    '[the guide](../guide/simulate.md#workloads).',
    '',
    'YAML or JSON. A length in tokens is a whole number, `{ from: A, to: B }` (evenly between, both',
    'included), `{ mean: M, cv: C }` (log-normal, C = standard deviation / mean) or',
    '`{ trace: FILE, of: prompt|answer }` (the quantiles of a trace, named relative to the file).',
    '',
    '## All kinds',
    '',
    table(commonFields),
    '',
    '## Kinds',
    '',
    kinds.join('\n\n'),
    '',
    '## Arrivals',
    '',
    'Below `arrivals`: `process` with its keys, or `clients`.',
    '',
    laws.join('\n\n'),
    '',
  ].join('\n');
}

function table(fields: z.ZodRawShape): string {
  const { properties = {} } = z.toJSONSchema(z.strictObject(fields), {
    io: 'input',
    target: 'draft-7',
  }) as SchemaNode;
  const rows = Object.entries(properties).map(([key, node]) => {
    const standard = node.default === undefined ? '' : `\`${JSON.stringify(node.default)}\``;
    const value = isLength(node) ? 'a length' : allowedText(node);
    return `| \`${key}\` | ${value.replaceAll('|', '\\|')} | ${standard} | ${node.description ?? ''} |`;
  });
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function isLength(node: SchemaNode): boolean {
  return node.anyOf?.some(({ properties }) => properties?.['cv'] !== undefined) ?? false;
}
