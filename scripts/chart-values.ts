// The text of charts/spillway/values.yaml: every key of the schema with a default, and what it means.
import { stringify } from 'yaml';
import { type SchemaNode, valuesRoot } from '../src/core/values/index.ts';

const width = 118;

/** The defaults of the chart, which are those of the values schema. */
export function chartValues(): string {
  return [
    '# Default values of the chart. Written by "npm run docs" from src/core/values; do not edit.',
    '# Keys without a default, such as those of servingEngineSpec.modelSpec, are in docs/reference/values.md.',
    '',
    ...lines(valuesRoot(), 0),
    '',
  ].join('\n');
}

function lines(node: SchemaNode, depth: number): string[] {
  const indent = '  '.repeat(depth);
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const below = isSection(child) ? lines(child, depth + 1) : [];
    if (below.length === 0 && child.default === undefined) return [];
    const comment = wrapped(child.description ?? '', width - indent.length - 2);
    const value =
      below.length > 0
        ? [`${indent}${key}:`, ...below]
        : stringify({ [key]: child.default }, { lineWidth: 0 })
            .trimEnd()
            .split('\n')
            .map((line) => `${indent}${line}`);
    return [...comment.map((line) => `${indent}# ${line}`), ...value];
  });
}

/** Whether a map has keys of its own with defaults, not a default as a whole. */
function isSection({ properties, default: given }: SchemaNode): boolean {
  return properties !== undefined && (given === undefined || JSON.stringify(given) === '{}');
}

function wrapped(text: string, widthMax: number): string[] {
  const result: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = result.at(-1);
    if (last !== undefined && last.length + word.length < widthMax) {
      result[result.length - 1] = `${last} ${word}`;
    } else result.push(word);
  }
  return result;
}
