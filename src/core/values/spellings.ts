// Spellings that people use where Helm's templates print the same: numbers and booleans in quotes, or among texts.
import { accepts, acceptsAnyText, childSchema, type SchemaNode } from './schema-node.ts';

/** A whole number in quotes: without sign, and without a zero in front, which YAML reads as octal. */
const quotedWhole = /^(?:0|[1-9][0-9]*)$/;
const quotedNumber = /^(?:0|[1-9][0-9]*)?\.?[0-9]+(?:[eE][-+]?[0-9]+)?$/;

/** A boolean in quotes, as YAML 1.2 spells those without; "yes" and "on" may be meant as texts. */
const quotedBoolean = /^(?:true|True|TRUE|false|False|FALSE)$/;

/** Lists of maps that go to Kubernetes, whose `value` is a text there. */
const listsWithValues = ['env', 'extraEnv', 'tolerations'];

/**
 * Returns the same data with each value in the type that the schema has for it, where the spelling leaves no doubt; other
 * values stay, for the schema to refuse. The chart converts the same spellings (templates/_values.tpl).
 *
 * @example inSchemaTypes({ containerPort: '8000', enableEngine: 'true' }, servingEngineNode); // { containerPort: 8000, enableEngine: true }
 */
export function inSchemaTypes(value: unknown, node: SchemaNode | undefined, key = ''): unknown {
  if (node === undefined) return value;
  if (Array.isArray(value)) {
    const items = value.filter((item) => item !== null);
    if (listsWithValues.includes(key)) return items.map(withTextValue);
    return items.map((item) => inPlace(item, childSchema(node, 0)));
  }
  if (typeof value === 'object' && value !== null) {
    const names = namedKeys(node);
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => {
        const child = childSchema(node, name);
        return [
          name,
          names.has(name) ? inSchemaTypes(member, child, name) : inPlace(member, child),
        ];
      }),
    );
  }
  return typeof value === 'string' ? asScalar(value, node) : value;
}

/** An item of a list, or a member of a map of any keys: a text there may be written as a number or a boolean. */
function inPlace(value: unknown, node: SchemaNode | undefined): unknown {
  const isText = node?.type === 'string' && node.enum === undefined;
  return isText ? asText(value) : inSchemaTypes(value, node);
}

function namedKeys(node: SchemaNode): ReadonlySet<string> {
  return new Set((node.anyOf ?? [node]).flatMap(({ properties }) => Object.keys(properties ?? {})));
}

function asScalar(text: string, node: SchemaNode): unknown {
  if (acceptsAnyText(node)) return text;
  if (accepts(node, 'boolean') && quotedBoolean.test(text)) return text.toLowerCase() === 'true';
  if (!accepts(node, 'number')) return text;
  const isWhole = !(node.anyOf ?? [node]).some(({ type }) => type === 'number');
  return (isWhole ? quotedWhole : quotedNumber).test(text) ? Number(text) : text;
}

function asText(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}

function withTextValue(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || !('value' in item)) return item;
  // Kubernetes reads null as the empty text.
  return { ...item, value: item.value === null ? '' : asText(item.value) };
}
