// What the chart's templates need of the values schema to read a file as "spillway up" does: the form of each key and the defaults that a
// null leaves in place (templates/_values-shape.tpl), and the schema with the spellings that are then converted (values.schema.json).
import {
  acceptsAnyText,
  allKeys,
  type SchemaNode,
  valuesJsonSchema,
  valuesRoot,
} from '../src/core/values/index.ts';

/** Keys whose values go elsewhere as they are: to subcharts, or to Kubernetes. */
const foreign = ['extraObjects', 'kube-prometheus-stack', 'prometheus-adapter', 'global'];
/** A null here removes the default for good: no runtime class. */
const emptied = ['servingEngineSpec.runtimeClassName'];

/**
 * The form of a value: "i" a number, "b" a boolean, "t" a list of texts, "m" a map of texts, "v" a list of maps whose "value" is a text, otherwise its keys
 * (`*` for any), or the form of a list's items.
 */
type Shape = 'i' | 'b' | 't' | 'm' | 'v' | { readonly [key: string]: Shape } | readonly [Shape];

/** templates/_values-shape.tpl. */
export function valuesShape(): string {
  const root = valuesRoot();
  const own = Object.entries(root.properties ?? {}).filter(([key]) => !foreign.includes(key));
  const shape = Object.fromEntries(own.map(([key, node]) => [key, shapeOf(key, node) ?? {}]));
  const defaults = Object.fromEntries(
    own.flatMap(([key, node]) => entry(key, node.properties && defaultsOf(node, key))),
  );
  return [
    '{{/* Written by "npm run docs" from src/core/values; do not edit. scripts/chart-shape.ts explains the letters. */}}',
    ...['{{- define "spillway.values-shape" -}}', JSON.stringify(shape), '{{- end }}'],
    ...['{{- define "spillway.values-defaults" -}}', JSON.stringify(defaults), '{{- end }}'],
    ...[
      '{{- define "spillway.values-ignored" -}}',
      JSON.stringify(ignoredKeys()),
      '{{- end }}',
      '',
    ],
  ].join('\n');
}

/** Keys that are accepted without effect, with what to use instead. */
function ignoredKeys(): readonly object[] {
  return allKeys()
    .filter(({ node }) => node['x-ignored'])
    .map(({ path, node }) => ({
      ...{ path, steps: path.replaceAll('[]', '.[]').split('.') },
      reason: node.description,
    }));
}

function shapeOf(key: string, node: SchemaNode): Shape | undefined {
  if (['env', 'extraEnv', 'tolerations'].includes(key)) return 'v';
  // Of a trigger of KEDA.
  if (key === 'metadata') return 'm';
  if (key === 'extraPorts') return [{ port: 'i', targetPort: 'i', nodePort: 'i' }];
  if (key === 'nodeSelectorTerms') {
    return [{ matchExpressions: [{ values: 't' }], matchFields: [{ values: 't' }] }];
  }
  const options = node.anyOf ?? [node];
  const types = options.map(({ type }) => type);
  const map = options.find(({ properties }) => properties !== undefined);
  if (map?.properties) {
    const below = Object.entries(map.properties).flatMap(([name, child]) =>
      entry(name, shapeOf(name, child)),
    );
    return Object.fromEntries(below);
  }
  if (isNumber(types)) return 'i';
  if (types.includes('boolean') && !acceptsAnyText(node)) return 'b';
  const list = options.find(({ type }) => type === 'array');
  if (list?.items) {
    if (isText(list.items)) return 't';
    const item = shapeOf('', list.items);
    return item === undefined ? undefined : [item];
  }
  const free = options.find(({ additionalProperties }) => additionalProperties);
  if (!free?.additionalProperties) return undefined;
  if (isText(free.additionalProperties)) return 'm';
  const child = shapeOf('', free.additionalProperties);
  return child === undefined ? {} : { '*': child };
}

function isNumber(types: readonly (string | undefined)[]): boolean {
  return types.some((type) => type === 'integer' || type === 'number') && !types.includes('string');
}

function isText({ type, anyOf }: SchemaNode): boolean {
  return (anyOf ?? [{ type }]).some((one) => one.type === 'string');
}

/**
 * Defaults of a section: of its scalars and sections, which a null leaves in place, and below "" of its maps and lists, which a null empties.
 */
function defaultsOf(node: SchemaNode, path: string): unknown {
  const { properties, default: given } = node;
  if (!properties || (given !== undefined && JSON.stringify(given) !== '{}')) return given;
  const scalars: Record<string, unknown> = {};
  const wholes: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(properties)) {
    const below = `${path}.${key}`;
    const value = defaultsOf(child, below);
    if (value === undefined) continue;
    const isWhole =
      emptied.includes(below) || (typeof child.default === 'object' && value === child.default);
    (isWhole ? wholes : scalars)[key] = value;
  }
  return { ...scalars, ...(Object.keys(wholes).length > 0 && { '': wholes }) };
}

function entry<T>(key: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[key, value]];
}

/** A text of one line, without control characters. */
const oneLine = '^[^\\x00-\\x1f\\x7f]*$';
/** Texts that may have several lines. */
const severalLines = ['chatTemplateConfigMap', 'hf_token', 'vllmApiKey', 'apiKey', 'peersKey'];

/**
 * charts/spillway/values.schema.json: the schema of the values file, with what the templates convert. Numbers and booleans may be quoted, texts in lists
 * and maps of texts may be numbers or booleans, and any key may be null. Helm adds `enabled` and `global` to the values of a subchart.
 */
export function chartSchema(): string {
  const schema = loosened(JSON.parse(valuesJsonSchema()) as Json, '') as Json;
  const root = {
    ...schema,
    properties: {
      enabled: {
        description: 'Of a parent chart: the condition under which this one is installed.',
      },
      ...(schema['properties'] as Json),
    },
    patternProperties: { '^x-': { description: 'Anchors that other keys repeat.' } },
  };
  return `${JSON.stringify(root, null, 2)}\n`;
}

type Json = Readonly<Record<string, unknown>>;

function loosened(node: Json, key: string): unknown {
  const result: Record<string, unknown> = { ...node };
  const { type, anyOf, properties, items, additionalProperties: more } = node;
  if (properties) {
    const required = (node['required'] as readonly string[] | undefined) ?? [];
    result['properties'] = Object.fromEntries(
      Object.entries(properties as Json).map(([name, child]) => [
        name,
        required.includes(name)
          ? loosened(child as Json, name)
          : orNull(loosened(child as Json, name) as Json),
      ]),
    );
  }
  if (anyOf) result['anyOf'] = (anyOf as readonly Json[]).map((one) => loosened(one, key));
  if (items) result['items'] = orNull(textOrScalar(items as Json, key) as Json);
  if (typeof more === 'object' && more !== null) {
    result['additionalProperties'] = orNull(textOrScalar(more as Json, key) as Json);
  }
  if (type === 'integer' || type === 'number') {
    const { type: _, minimum, maximum, exclusiveMinimum, exclusiveMaximum, ...rest } = result;
    const pattern =
      type === 'integer' ? '^(0|[1-9][0-9]*)$' : '^(0|[1-9][0-9]*)?\\.?[0-9]+([eE][-+]?[0-9]+)?$';
    const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
    return {
      ...rest,
      anyOf: [
        { type, ...bounds },
        { type: 'string', pattern },
      ],
    };
  }
  if (type === 'boolean') {
    const { type: _, ...rest } = result;
    const pattern = '^(true|True|TRUE|false|False|FALSE)$';
    return { ...rest, anyOf: [{ type }, { type: 'string', pattern }] };
  }
  const isFree = type === 'string' && !node['pattern'] && !node['enum'] && !node['format'];
  if (isFree && key !== '' && !severalLines.includes(key)) result['pattern'] = oneLine;
  return result;
}

/** An item of a list, or a value of a map: its text may be written as a number or a boolean, and may have several lines. */
function textOrScalar(node: Json, key: string): unknown {
  const isText = node['type'] === 'string' && !node['enum'] && !node['format'];
  if (!isText) return loosened(node, key);
  const { type: _, ...rest } = node;
  return { ...rest, type: ['string', 'number', 'boolean'] };
}

function orNull(node: Json): Json {
  const { type, anyOf } = node;
  if (node['const'] !== undefined) return node;
  if (anyOf) {
    const options = anyOf as readonly Json[];
    return options.some((one) => one['type'] === 'null')
      ? node
      : { ...node, anyOf: [...options, { type: 'null' }] };
  }
  if (type === undefined) return node;
  const types = [type].flat();
  const list = node['enum'] as readonly unknown[] | undefined;
  return { ...node, type: [...types, 'null'], ...(list && { enum: [...list, null] }) };
}
