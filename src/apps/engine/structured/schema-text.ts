// Writes the smallest JSON text that a JSON schema allows, for responses that must validate. The text is written as far
// as it is read, because a schema of a few bytes may ask for a list of a billion items.
import { regexInstance } from '../../../core/api/index.ts';

/** Maximum depth of nested schemas; deeper ones become null. */
const depthMax = 32;

/** Longest piece of a text that a schema asks for by `minLength`, in characters. */
const pieceCharacters = 1024;

export interface SchemaTextOptions {
  /** Adds a space after commas and colons, as models trained on Python write JSON. @default false */
  readonly isSpaced?: boolean;
}

/**
 * @param schema JSON schema: enum, const, type, properties, required, items, prefixItems, anyOf,
 *   oneOf, allOf, $ref into its own $defs, and the bounds on numbers, strings and lists.
 * @returns The pieces of a JSON text that it allows, or undefined if the schema names a type that JSON lacks.
 * @example [...schemaText({ type: 'array', items: { type: 'null' } })].join(''); // '[null]'
 */
export function schemaText(
  schema: unknown,
  options: SchemaTextOptions = {},
): Iterable<string> | undefined {
  const writer = new SchemaWriter(schema, options.isSpaced === true);
  return writer.isPossible(schema, 0) ? writer.value(schema, 0) : undefined;
}

type Rules = Readonly<Record<string, unknown>>;

/** What decides about a schema's text, once its references and alternatives are followed. */
type Decided =
  | { readonly kind: 'object' | 'array' | 'string'; readonly rules: Rules; readonly hops: number }
  /** The whole JSON text; undefined for a type that JSON lacks. */
  | { readonly kind: 'text'; readonly text: string | undefined; readonly hops: number };

class SchemaWriter {
  readonly #root: unknown;
  readonly #comma: string;
  readonly #colon: string;
  readonly #isSpaced: boolean;
  /** A schema is decided once, however often the text has it. */
  readonly #decided = new Map<object, Decided>();

  constructor(root: unknown, isSpaced: boolean) {
    this.#root = root;
    this.#isSpaced = isSpaced;
    this.#comma = isSpaced ? ', ' : ',';
    this.#colon = isSpaced ? ': ' : ':';
  }

  isPossible(schema: unknown, depth: number): boolean {
    const decided = this.#decision(schema, depth);
    return decided.kind !== 'text' || decided.text !== undefined;
  }

  *value(schema: unknown, depth: number): Generator<string> {
    const decided = this.#decision(schema, depth);
    const inner = depth + decided.hops + 1;
    switch (decided.kind) {
      case 'text':
        yield decided.text ?? 'null';
        break;
      case 'object':
        yield* this.#object(decided.rules, inner);
        break;
      case 'array':
        yield* this.#array(decided.rules, inner);
        break;
      case 'string':
        yield* longString(decided.rules);
    }
  }

  *#object(rules: Rules, depth: number): Generator<string> {
    const properties = Object(rules['properties'] ?? {}) as Rules;
    const required = Array.isArray(rules['required']) ? (rules['required'] as unknown[]) : [];
    const names = required.length > 0 ? new Set(required.map(String)) : Object.keys(properties);
    let before = '{';
    for (const name of names) {
      const schema = (Object.hasOwn(properties, name) ? properties[name] : undefined) ?? {};
      // A value that JSON cannot write is left out.
      if (!this.isPossible(schema, depth)) continue;
      yield before + JSON.stringify(name) + this.#colon;
      yield* this.value(schema, depth);
      before = this.#comma;
    }
    yield before === '{' ? '{}' : '}';
  }

  *#array(rules: Rules, depth: number): Generator<string> {
    const prefix = Array.isArray(rules['prefixItems']) ? rules['prefixItems'] : [];
    const least = Math.max(size(rules['minItems'], 1), prefix.length);
    const count = Math.min(least, size(rules['maxItems'], least));
    yield '[';
    for (let i = 0; i < count; i++) {
      if (i > 0) yield this.#comma;
      yield* this.value(prefix[i] ?? rules['items'] ?? {}, depth);
    }
    yield ']';
  }

  #decision(schema: unknown, depth: number): Decided {
    if (typeof schema !== 'object' || schema === null) return nullText;
    let decided = this.#decided.get(schema);
    if (decided === undefined) {
      decided = this.#decide(schema as Rules);
      this.#decided.set(schema, decided);
    }
    return depth + decided.hops > depthMax ? nullText : decided;
  }

  #decide(schema: Rules): Decided {
    let rules = schema;
    const text = (value: unknown): Decided => {
      return { kind: 'text', text: this.#written(value), hops };
    };
    let hops = 0;
    for (; hops <= depthMax; hops++) {
      if ('const' in rules) return text(rules['const']);
      if (Array.isArray(rules['enum'])) return text(rules['enum'][0]);
      const next = followed(rules, this.#root);
      if (next === undefined) break;
      if (typeof next !== 'object' || next === null) return nullText;
      rules = next as Rules;
    }
    if (hops > depthMax) return nullText;
    const given = Array.isArray(rules['type']) ? rules['type'][0] : rules['type'];
    const type = given ?? impliedType(rules);
    switch (type) {
      case 'object':
      case 'array':
        return { kind: type, rules, hops };
      case 'string':
        return isLong(rules) ? { kind: type, rules, hops } : text(stringInstance(rules));
      case 'integer':
      case 'number':
        return text(numberInstance(rules, type === 'integer'));
      case 'boolean':
        return text(true);
      case 'null':
        return nullText;
      default:
        return { kind: 'text', text: undefined, hops };
    }
  }

  /** A value of the schema itself as JSON. */
  #written(value: unknown): string {
    return this.#isSpaced ? spacedJson(value) : (JSON.stringify(value) ?? 'null');
  }
}

const nullText: Decided = { kind: 'text', text: 'null', hops: 0 };

/** The schema that a reference or an alternative stands for; undefined if it is neither. */
function followed(rules: Rules, root: unknown): unknown {
  const { $ref: reference, allOf } = rules;
  if (typeof reference === 'string') return resolved(reference, root);
  for (const key of ['anyOf', 'oneOf'] as const) {
    const options = rules[key];
    if (Array.isArray(options)) return { ...rules, [key]: undefined, ...options[0] };
  }
  if (Array.isArray(allOf)) {
    const merged: Record<string, unknown> = {};
    for (const one of allOf) Object.assign(merged, one);
    return Object.assign(merged, rules, { allOf: undefined });
  }
  return undefined;
}

function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(
      ([key, one]) => `${JSON.stringify(key)}: ${spacedJson(one)}`,
    );
    return `{${pairs.join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

function impliedType(rules: Rules): string {
  if ('properties' in rules || 'required' in rules) return 'object';
  if ('items' in rules || 'prefixItems' in rules) return 'array';
  if ('minimum' in rules || 'maximum' in rules) return 'number';
  return Object.keys(rules).length === 0 ? 'null' : 'string';
}

const formats: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time: '00:00:00Z',
  email: 'somebody@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  hostname: 'example.com',
};

const [firstWord, moreWords] = ['synthetic', ' text'] as const;

function stringInstance(rules: Rules): string {
  const pattern = rules['pattern'];
  if (typeof pattern === 'string') return regexInstance(pattern);
  const format = formats[String(rules['format'])];
  return format ?? firstWord.padEnd(leastLength(rules), moreWords).slice(0, mostLength(rules));
}

function leastLength(rules: Rules): number {
  return size(rules['minLength'], 0);
}

function mostLength(rules: Rules): number {
  return size(rules['maxLength'], Number.POSITIVE_INFINITY);
}

/** Whether a string is written in pieces: only its length decides about it. */
function isLong(rules: Rules): boolean {
  const isFree =
    typeof rules['pattern'] !== 'string' && formats[String(rules['format'])] === undefined;
  return isFree && leastLength(rules) > pieceCharacters;
}

function* longString(rules: Rules): Generator<string> {
  const length = Math.min(leastLength(rules), mostLength(rules));
  const piece = moreWords.repeat(Math.floor(pieceCharacters / moreWords.length));
  yield `"${firstWord.slice(0, length)}`;
  for (let at = firstWord.length; at < length; at += piece.length) {
    yield piece.slice(0, length - at);
  }
  yield '"';
}

/** Returns the smallest allowed number; without a minimum, 1 or the largest below it. */
function numberInstance(rules: Rules, isInteger: boolean): number {
  const bound = (name: string) => size(rules[name], Number.NaN);
  const [least, above] = [bound('minimum'), bound('exclusiveMinimum')];
  const [most, below] = [bound('maximum'), bound('exclusiveMaximum')];
  const low = Math.max(...[least, above, Number.NEGATIVE_INFINITY].filter((x) => !Number.isNaN(x)));
  const high = Math.min(...[most, below, Number.POSITIVE_INFINITY].filter((x) => !Number.isNaN(x)));
  const fits = (value: number) =>
    value >= low && value <= high && value !== above && value !== below;
  const multiple = rules['multipleOf'];
  const step = typeof multiple === 'number' ? multiple : isInteger ? 1 : undefined;
  if (step !== undefined) {
    const start = low === Number.NEGATIVE_INFINITY ? Math.min(1, high) : low;
    const first = Math.ceil(start / step) * step;
    return [first, first + step, first - step].find(fits) ?? first;
  }
  const middles = [low + 0.5, (low + high) / 2, high - 0.5];
  return (
    [low, ...(low === Number.NEGATIVE_INFINITY ? [1] : []), ...middles, high].find(
      (value) => Number.isFinite(value) && fits(value),
    ) ?? 1
  );
}

function size(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

/** A reference to another document, or to nothing, allows any value. */
function resolved(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#/')) return {};
  let at: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null) return {};
    at = (at as Rules)[key];
  }
  return at ?? {};
}
