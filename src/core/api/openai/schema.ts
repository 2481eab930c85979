// Parses JSON bodies as vLLM's Pydantic models do: with the same coercions and error messages.
import { type Issue, type Parser, schemaError } from './schema-report.ts';

export {
  type Issue,
  isSchemaError,
  type Parser,
  pydanticReport,
  schemaError,
} from './schema-report.ts';
export {
  boolean,
  boundedFloat,
  float,
  floatsFrom,
  integer,
  integer64,
  integer64From,
  integerAbove,
  literal,
  strictInteger,
  string,
  stringOf,
} from './schema-scalars.ts';

/** Fields of an object in the order in which faults are reported. */
export type Shape = Readonly<Record<string, Parser<unknown>>>;

/** The type that a shape parses to: every field may be absent or null. */
export type Read<S extends Shape> = {
  readonly [K in keyof S]?: (S[K] extends Parser<infer T> ? T : never) | null | undefined;
};

/**
 * Parses a request body.
 *
 * @param shape The fields, or a parser for the whole body.
 * @param required Required fields; each missing one is an issue in its place.
 * @throws {ApiError} 400 "Bad Request" with all issues in one message, as FastAPI in vLLM responds.
 */
export function readBody<T>(body: unknown, shape: Parser<T>): T;
export function readBody<S extends Shape>(
  body: unknown,
  shape: S,
  required?: readonly (keyof S & string)[],
): Read<S>;
export function readBody<S extends Shape>(
  body: unknown,
  shape: S | Parser<unknown>,
  required: readonly (keyof S & string)[] = [],
): unknown {
  const issues: Issue[] = [];
  const parser = typeof shape === 'function' ? shape : object(shape, required);
  const read = parser(body, 'body', issues);
  if (issues.length > 0 || read === undefined) throw schemaError(issues);
  return read;
}

export function object<S extends Shape>(
  shape: S,
  required: readonly (keyof S & string)[] = [],
): Parser<Read<S>> {
  const fields = fieldsOf(shape);
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      issues.push({ type: 'model_attributes_type', loc, msg, input: value });
      return undefined;
    }
    const given = value as Record<string, unknown>;
    const read: Record<string, unknown> = {};
    for (const [name, parser] of fields) {
      const field = given[name];
      if (field === null ? refusingNull.has(parser) : field !== undefined) {
        const parsed = parser(field, `${loc}.${name}`, issues);
        if (parsed !== undefined) read[name] = parsed;
      } else if (required.includes(name)) {
        issues.push({
          type: 'missing',
          loc: `${loc}.${name}`,
          msg: 'Field required',
          input: value,
        });
      } else if (field === null) {
        read[name] = null;
      }
    }
    return read as Read<S>;
  };
}

/**
 * The fields of each shape: iterating over an array costs less than listing the keys for each
 * request.
 */
const knownFields = new WeakMap<Shape, readonly (readonly [string, Parser<unknown>])[]>();

function fieldsOf(shape: Shape): readonly (readonly [string, Parser<unknown>])[] {
  let fields = knownFields.get(shape);
  if (fields === undefined) {
    fields = Object.entries(shape);
    knownFields.set(shape, fields);
  }
  return fields;
}

/** Like `object`, for Python's TypedDict. */
export function typedDict<S extends Shape>(
  shape: S,
  required: readonly (keyof S & string)[],
): Parser<Readonly<Record<string, unknown>>> {
  const parse = object(shape, required);
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary';
      issues.push({ type: 'dict_type', loc, msg, input: value });
      return undefined;
    }
    return parse(value, loc, issues) as Readonly<Record<string, unknown>> | undefined;
  };
}

/** The field is required but may be null. */
export function nullable<T>(parser: Parser<T>): Parser<T | null> {
  return notNull((value, loc, issues) => (value === null ? null : parser(value, loc, issues)));
}

/** Parsers of fields with a default that do not accept null. */
const refusingNull = new WeakSet<Parser<unknown>>();

/** The field may be absent but not null; null is an issue like any other wrong type. */
export function notNull<T>(parser: Parser<T>): Parser<T> {
  const own: Parser<T> = (value, loc, issues) => parser(value, loc, issues);
  refusingNull.add(own);
  return own;
}

/** Faults of a list after which no more are looked for: a report shows ten, and their number. */
const issuesMax = 10_000;

/** @param bounds Allowed number of items. */
export function list<T>(
  item: Parser<T>,
  bounds: { readonly least?: number; readonly most?: number } = {},
): Parser<readonly T[]> {
  const { least = 0, most = Number.POSITIVE_INFINITY } = bounds;
  return (value, loc, issues) => {
    if (!Array.isArray(value)) {
      issues.push({ type: 'list_type', loc, msg: 'Input should be a valid list', input: value });
      return undefined;
    }
    const { length } = value;
    if (length > most) {
      const msg = `List should have at most ${most} items after validation, not ${length}`;
      const ctx = `{'field_type': 'List', 'max_length': ${most}, 'actual_length': ${length}}`;
      issues.push({ type: 'too_long', loc, msg, input: value, ctx });
      return undefined;
    }
    const before = issues.length;
    const items: T[] = [];
    for (let i = 0; i < length && issues.length - before < issuesMax; i++) {
      const issuesBefore = issues.length;
      let read = item(value[i], loc, issues);
      if (issues.length > issuesBefore) {
        // Only a fault needs its place, which is slow to write for a million items.
        issues.length = issuesBefore;
        read = item(value[i], `${loc}.${i}`, issues);
      }
      items.push(read as T);
    }
    if (length >= least || issues.length > before) return items;
    const msg = `List should have at least ${least} item${least === 1 ? '' : 's'} after validation, not ${length}`;
    const ctx = `{'field_type': 'List', 'min_length': ${least}, 'actual_length': ${length}}`;
    issues.push({ type: 'too_short', loc, msg, input: value, ctx });
    return undefined;
  };
}

/**
 * Checks a parsed value, like Pydantic's "after" validators.
 *
 * @param fault Returns the message for an invalid value, or undefined; it may also throw.
 */
export function after<T>(parser: Parser<T>, fault: (value: T) => string | undefined): Parser<T> {
  const checked: Parser<T> = (value, loc, issues) => {
    const before = issues.length;
    const read = parser(value, loc, issues);
    if (read === undefined || issues.length > before) return undefined;
    const text = fault(read);
    if (text === undefined) return read;
    issues.push(valueIssue(loc, text, value));
    return undefined;
  };
  return refusingNull.has(parser) ? notNull(checked) : checked;
}

/** Returns the issue for the message of one of vLLM's validators, as Pydantic reports it. */
function valueIssue(loc: string, text: string, input: unknown): Issue {
  const spelled = text.includes("'") ? JSON.stringify(text) : `'${text}'`;
  const ctx = `{'error': ValueError(${spelled})}`;
  return { type: 'value_error', loc, msg: `Value error, ${text}`, input, ctx };
}

/** One of several models, chosen by `type`; its fields are reported under its tag. */
export function tagged<M extends Readonly<Record<string, Parser<unknown>>>>(
  models: M,
): Parser<M[keyof M] extends Parser<infer T> ? T : never> {
  const tags = Object.keys(models).map((tag) => `'${tag}'`);
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      issues.push({ type: 'model_attributes_type', loc, msg, input: value });
      return undefined;
    }
    const { type } = value as { readonly type?: unknown };
    if (type === undefined) {
      const msg = "Unable to extract tag using discriminator 'type'";
      issues.push({ type: 'union_tag_not_found', loc, msg, input: value });
      return undefined;
    }
    const model =
      typeof type === 'string' && Object.hasOwn(models, type) ? models[type] : undefined;
    if (model !== undefined) return model(value, `${loc}.${String(type)}`, issues) as never;
    const msg = `Input tag '${String(type)}' found using 'type' does not match any of the expected tags: ${tags.join(', ')}`;
    issues.push({ type: 'union_tag_invalid', loc, msg, input: value });
    return undefined;
  };
}

export function dictionary<T>(item: Parser<T>): Parser<Readonly<Record<string, T>>> {
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary';
      issues.push({ type: 'dict_type', loc, msg, input: value });
      return undefined;
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, item(entry, `${loc}.${key}`, issues) as T]),
    );
  };
}

/** The first alternative that parses the value; the issues of all alternatives if none does. */
export function union<T extends readonly Parser<unknown>[]>(
  ...alternatives: T
): Parser<T[number] extends Parser<infer U> ? U : never> {
  return (value, loc, issues) => {
    const all: Issue[] = [];
    for (const alternative of alternatives) {
      const own: Issue[] = [];
      const read = alternative(value, loc, own);
      if (own.length === 0) return read as never;
      for (const issue of own) all.push(issue);
    }
    for (const issue of all) issues.push(issue);
    return undefined;
  };
}

/** Values that Python can iterate over: lists, objects by their keys, text by its characters. */
export const iterable: Parser<unknown> = (value, loc, issues) => {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return value;
  issues.push({ type: 'iterable_type', loc, msg: 'Input should be iterable', input: value });
  return undefined;
};

/** Any value. */
export const anything: Parser<unknown> = (value) => value;
