// The text of docs/reference/values.md, from the schema of the values file.
import { allKeys, allowedText, type KnownKey, presets } from '../src/core/values/index.ts';

/** One table per map of the values file, in the schema's order. */
export function valuesReference(): string {
  const keys = allKeys();
  const parents = [...new Set(keys.map(parentOf))];
  const tables = parents.map((parent) => {
    const rows = keys.filter((key) => parentOf(key) === parent).map(row);
    return [
      `## ${parent === '' ? 'Top level' : `\`${parent}\``}`,
      '',
      '| key | value | default | meaning |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return [
    '# The values file',
    '',
    'Written by `npm run docs` from `src/core/values`; do not edit.',
    '',
    'Keys and defaults are those of the vLLM production-stack Helm chart 0.1.12, so a file',
    'for that chart also works with Spillway. Keys that only Spillway supports are marked **Spillway**.',
    'A key that is not listed here is refused. How files, presets and `--set` combine is in',
    '[the guide](../guide/values.md).',
    '',
    `Presets (\`spillway config show --preset NAME\`): ${presets.map(({ name }) => `\`${name}\``).join(', ')}.`,
    '',
    '`[]` stands for every item of a list, `NAME` for any name.',
    '',
    `${tables.join('\n\n')}\n`,
  ].join('\n');
}

function parentOf({ key, path }: KnownKey): string {
  return path.slice(0, -key.length).replace(/\.$/, '');
}

function row({ key, node }: KnownKey): string {
  const own =
    node.properties && !node.additionalProperties ? 'a map, see below' : allowedText(node);
  const origin = node['x-origin'] === 'spillway' ? '**Spillway.** ' : '';
  const meaning = `${origin}${node.description ?? ''}`.replaceAll('|', '\\|');
  return `| \`${key}\` | ${own.replaceAll('|', '\\|')} | ${defaultText(node.default, node.properties)} | ${meaning} |`;
}

function defaultText(value: unknown, properties: unknown): string {
  if (value === undefined) return '';
  // A map with defaults of its own shows them in its own table.
  if (properties && JSON.stringify(value) === '{}') return '';
  return `\`${JSON.stringify(value).replaceAll('|', '\\|')}\``;
}
