// Looks up one place of the schema in its JSON Schema: what is allowed there, and which keys are
// known. JSON Schema is zod's stable description of itself.
import { z } from 'zod';
import { valuesSchema } from './schema.ts';
import type { Path, Step } from './tree.ts';

/** The part of JSON Schema draft 7 that the values schema uses. */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | SchemaNode;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  /** Of a text with a pattern: what to write instead of one that does not match. */
  readonly examples?: readonly string[];
  readonly 'x-origin'?: string;
  readonly 'x-ignored'?: boolean;
}

/** The whole values file, as zod describes it. It takes 50 ms and is made when first needed. */
export function rawJsonSchema(): object {
  valuesAsWritten ??= {
    ...z.toJSONSchema(valuesSchema, { io: 'input', target: 'draft-7' }),
    patternProperties: { [anchorKeys]: { description: 'Anchors that other keys repeat.' } },
  };
  return valuesAsWritten;
}

/** Keys at the top that only hold anchors: `x-common: &common {…}`. */
const anchorKeys = '^x-';

export function isAnchorKey(key: string): boolean {
  return key.startsWith('x-');
}

let valuesAsWritten: object | undefined;

/** The same, with one type per node. */
export function valuesRoot(): SchemaNode {
  valuesNode ??= oneTypePerNode(rawJsonSchema()) as SchemaNode;
  return valuesNode;
}

let valuesNode: SchemaNode | undefined;

/** The root of another file's schema, for `schemaAt` and `allKeys`. */
export function schemaRoot(schema: z.ZodType): SchemaNode {
  return oneTypePerNode(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })) as SchemaNode;
}

/** Rewrites `type: [a, b]`, which zod writes for unions of bare types, as `anyOf`. */
function oneTypePerNode(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(oneTypePerNode);
  if (typeof node !== 'object' || node === null) return node;
  const members = Object.entries(node).map(([key, value]) => [
    key,
    // A default is a value of the file, not a part of the schema.
    key === 'default' ? value : oneTypePerNode(value),
  ]);
  const { type, ...rest } = Object.fromEntries(members);
  if (!Array.isArray(type)) return type === undefined ? rest : { ...rest, type };
  return { ...rest, anyOf: type.map((one) => ({ type: one })) };
}

/** Returns the schema of a key or an item; undefined if there is none. */
export function childSchema(node: SchemaNode | undefined, step: Step): SchemaNode | undefined {
  if (node === undefined) return undefined;
  for (const option of node.anyOf ?? [node]) {
    const child =
      typeof step === 'number'
        ? option.items
        : (option.properties?.[step] ?? (option.additionalProperties || undefined));
    if (child !== undefined) return child;
  }
  return undefined;
}

export function schemaAt(path: Path, root = valuesRoot()): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>(childSchema, root);
}

/**
 * Returns the keys that a map may have, without those that have no effect; undefined if any key is
 * allowed.
 */
export function knownKeys(node: SchemaNode | undefined): readonly string[] | undefined {
  const maps = (node?.anyOf ?? (node ? [node] : [])).filter(({ properties }) => properties);
  if (maps.length === 0) return undefined;
  return maps.flatMap(({ properties = {} }) =>
    Object.keys(properties).filter((key) => properties[key]?.['x-ignored'] !== true),
  );
}

/** Returns whether null is a value here, not a way to remove a default. */
export function acceptsNull(node: SchemaNode | undefined): boolean {
  return node === undefined || accepts(node, 'null');
}

/** Returns whether values of a JSON type are allowed here. */
export function accepts(node: SchemaNode, type: NonNullable<SchemaNode['type']>): boolean {
  if (node.anyOf) return node.anyOf.some((option) => accepts(option, type));
  if (node.type === undefined) return node.enum === undefined;
  return node.type === type || (node.type === 'integer' && type === 'number');
}

/** Returns what is allowed, as the end of a sentence with "must be …". */
export function allowedText(node: SchemaNode): string {
  if (node.anyOf) return joinOr([...new Set(node.anyOf.map(alternativeText))]);
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return `one of ${node.enum.map(String).join(', ')}`;
  switch (node.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number${rangeText(node)}`;
    case 'number':
      return `a number${rangeText(node)}`;
    case 'null':
      return 'null';
    case 'array':
      return node.items?.type === 'string'
        ? `a list of ${node.items.format === 'uri' ? 'http:// or https:// URLs' : 'texts'}`
        : 'a list of maps';
    case 'object':
      return node.additionalProperties && node.additionalProperties.type === 'string'
        ? 'a map of texts'
        : 'a map';
    case 'string':
      return stringText(node);
    default:
      return 'a value';
  }
}

/** Maximum number of keys of a map listed in a sentence. */
const keysInSentenceMax = 6;

/** Among several alternatives, the keys identify the one that is meant. */
function alternativeText(node: SchemaNode): string {
  const keys = Object.keys(node.properties ?? {});
  const areFew = keys.length > 0 && keys.length <= keysInSentenceMax;
  return node.type === 'object' && areFew ? `{${keys.join(', ')}}` : allowedText(node);
}

function stringText({ pattern, format, minLength, examples }: SchemaNode): string {
  if (format === 'uri') return 'an http:// or https:// URL';
  if (examples) return `a text such as ${joinOr(examples.map((text) => JSON.stringify(text)))}`;
  if (pattern?.includes('numkMGTPE')) return 'a quantity such as "500m" or "16Gi"';
  if (pattern !== undefined) return 'a text with such a number';
  return minLength === undefined ? 'a text' : 'a text that is not empty';
}

function rangeText({ minimum, exclusiveMinimum, maximum }: SchemaNode): string {
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (exclusiveMinimum !== undefined && exclusiveMinimum > -Number.MAX_SAFE_INTEGER) {
    return bounded
      ? ` above ${exclusiveMinimum} and at most ${maximum}`
      : ` above ${exclusiveMinimum}`;
  }
  if (minimum !== undefined && minimum > -Number.MAX_SAFE_INTEGER) {
    return bounded ? ` from ${minimum} to ${maximum}` : ` of at least ${minimum}`;
  }
  return bounded ? ` of at most ${maximum}` : '';
}

function joinOr(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** A key of the schema. */
export interface KnownKey {
  readonly key: string;
  /** List items as `[]`, named maps as `.NAME`. */
  readonly path: string;
  readonly node: SchemaNode;
}

/**
 * Returns every key of a schema, depth first: for the reference, and to say where a key belongs.
 */
export function allKeys(root = valuesRoot()): readonly KnownKey[] {
  const known = knownByRoot.get(root) ?? findKeys(root);
  knownByRoot.set(root, known);
  return known;
}

const knownByRoot = new WeakMap<SchemaNode, readonly KnownKey[]>();

function findKeys(root: SchemaNode): readonly KnownKey[] {
  const found: KnownKey[] = [];
  const walk = (node: SchemaNode, path: string): void => {
    for (const option of node.anyOf ?? [node]) {
      for (const [key, child] of Object.entries(option.properties ?? {})) {
        const childPath = path === '' ? key : `${path}.${key}`;
        found.push({ key, path: childPath, node: child });
        walk(child, childPath);
      }
      if (option.items) walk(option.items, `${path}[]`);
      if (option.additionalProperties) walk(option.additionalProperties, `${path}.NAME`);
    }
  };
  walk(root, '');
  return found;
}

/** Whether it accepts texts that are not in a list, so that a number in quotes may be meant as a text. */
export function acceptsAnyText(node: SchemaNode): boolean {
  if (node.anyOf) return node.anyOf.some(acceptsAnyText);
  return accepts(node, 'string') && node.enum === undefined && node.const === undefined;
}
