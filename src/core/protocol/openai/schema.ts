// Reads JSON bodies as vLLM's Pydantic models do: the same coercions, the same error sentences.
import { ApiError } from './api-error.ts';
import { pythonFloat, pythonRepr, pythonType, pythonValue } from './python-repr.ts';

/** One thing wrong with a body, as Pydantic reports it. */
export interface Issue {
  readonly type: string;
  readonly loc: string;
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: string;
}

/** Turns a JSON value into a T, or notes what is wrong with it and returns undefined. */
export type Parser<T> = (value: unknown, loc: string, issues: Issue[]) => T | undefined;

/** Fields of an object in the order in which faults are reported. */
export type Shape = Readonly<Record<string, Parser<unknown>>>;

/** What a shape reads: every field may be absent or null. */
export type Read<S extends Shape> = {
  readonly [K in keyof S]?: (S[K] extends Parser<infer T> ? T : never) | null | undefined;
};

/**
 * Reads a request body.
 *
 * @param required Fields that must be there; each missing one is an issue in its place.
 * @throws {ApiError} 400 "Bad Request" with all issues in one message, as FastAPI under vLLM.
 */
export function readBody<S extends Shape>(
  body: unknown,
  shape: S,
  required: readonly (keyof S & string)[] = [],
): Read<S> {
  const issues: Issue[] = [];
  const read = object(shape, required)(body, 'body', issues);
  if (issues.length > 0 || read === undefined) throw schemaError(issues);
  return read;
}

/** What vLLM shows of a report that could grow with the request. */
const shownMax = { issues: 10, issueCharacters: 1000, inputCharacters: 200 } as const;

/** The answer to a body with issues. */
export function schemaError(issues: readonly Issue[]): ApiError {
  const lines = issues.slice(0, shownMax.issues).map(({ type, loc: place, msg, input, ctx }) => {
    const loc = shownPlace(place);
    const context = ctx === undefined ? '' : `, 'ctx': ${ctx}`;
    const shown = pythonRepr(cut(inputText(input), shownMax.inputCharacters));
    const line = `{'type': '${type}', 'loc': '${loc}', 'msg': ${pythonRepr(msg)}, 'input': ${shown}${context}}`;
    return `  ${cut(line, shownMax.issueCharacters)}`;
  });
  const label = issues.length === 1 ? 'error' : 'errors';
  const left = issues.length - lines.length;
  if (left > 0) lines.push(`  ...and ${left} more ${label}`);
  const text = [`${issues.length} validation ${label}:`, ...lines].join('\n');
  const param = issues[0] ? shownPlace(issues[0].loc) : null;
  return new ApiError(400, 'Bad Request', text, { param });
}

/** Pydantic's version in vLLM 0.32.0's environment, which its own reports name. */
const pydanticVersion = '2.14';

/** The report that Pydantic itself writes, which a client sees where vLLM does not rewrite it. */
export function pydanticReport(title: string, issues: readonly Issue[]): string {
  const lines = issues.map(({ type, loc, msg, input }) => {
    const value = middleCut(pythonValue(input));
    return `${loc}\n  ${msg} [type=${type}, input_value=${value}, input_type=${pythonType(input)}]\n    For further information visit https://errors.pydantic.dev/${pydanticVersion}/v/${type}`;
  });
  const label = issues.length === 1 ? 'error' : 'errors';
  return [`${issues.length} validation ${label} for ${title}`, ...lines].join('\n');
}

/** As Pydantic shortens what it quotes: fifty characters, the middle left out. */
function middleCut(text: string): string {
  const characters = [...text];
  if (characters.length <= 50) return text;
  return `${characters.slice(0, 25).join('')}...${characters.slice(-24).join('')}`;
}

/** Names of Pydantic's own that vLLM leaves out of places, even where a client chose them. */
const internalNames = new Set(
  `function-wrap function-after function-before function-plain json-or-python lax-or-strict chain
  default nullable tagged-union union call arguments is-instance is-subclass callable str int float
  bool bytes bytearray list tuple dict set frozenset complex none nonetype`.split(/\s+/),
);

function shownPlace(loc: string): string {
  const parts = loc.split('.');
  const shown = parts.filter(
    (part) => !/[[\]{}()]/.test(part) && !internalNames.has(part.toLowerCase()),
  );
  return (shown.length > 0 ? shown : parts).join('.');
}

function cut(text: string, charactersMax: number): string {
  // No character takes more than two units of a string.
  const characters = [...text.slice(0, 2 * charactersMax + 2)];
  if (characters.length <= charactersMax) return text;
  return `${characters.slice(0, charactersMax).join('')}...[truncated]`;
}

/** Whether an error says that a body has not the form of its request. */
export function isSchemaError(error: unknown): boolean {
  return error instanceof ApiError && error.type === 'Bad Request';
}

export function object<S extends Shape>(
  shape: S,
  required: readonly (keyof S & string)[] = [],
): Parser<Read<S>> {
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      issues.push({ type: 'model_attributes_type', loc, msg, input: value });
      return undefined;
    }
    const given = value as Record<string, unknown>;
    const read: Record<string, unknown> = {};
    for (const name in shape) {
      const field = given[name];
      const parser = shape[name] as Parser<unknown>;
      if (field === null ? refusingNull.has(parser) : field !== undefined) {
        read[name] = parser(field, `${loc}.${name}`, issues);
      } else if (required.includes(name)) {
        issues.push({
          type: 'missing',
          loc: `${loc}.${name}`,
          msg: 'Field required',
          input: value,
        });
      } else {
        read[name] = field;
      }
    }
    return read as Read<S>;
  };
}

/** As `object`, for Python's TypedDict: fields that are absent stay so. */
export function typedDict<S extends Shape>(
  shape: S,
  required: readonly (keyof S & string)[],
): Parser<Readonly<Record<string, unknown>>> {
  return (value, loc, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const msg = 'Input should be a valid dictionary';
      issues.push({ type: 'dict_type', loc, msg, input: value });
      return undefined;
    }
    const read = object(shape, required)(value, loc, issues);
    if (read === undefined) return undefined;
    return Object.fromEntries(Object.entries(read).filter(([, field]) => field !== undefined));
  };
}

/** The field must be there but may be null. */
export function nullable<T>(parser: Parser<T>): Parser<T | null> {
  return notNull((value, loc, issues) => (value === null ? null : parser(value, loc, issues)));
}

/** Parsers of fields that have a default and do not take null for it. */
const refusingNull = new WeakSet<Parser<unknown>>();

/** The field may be left out but not be null; null is an issue like any other wrong type. */
export function notNull<T>(parser: Parser<T>): Parser<T> {
  const own: Parser<T> = (value, loc, issues) => parser(value, loc, issues);
  refusingNull.add(own);
  return own;
}

/** @param least Smallest integer allowed. @param most Largest; both are included. */
export function integer(
  least: number = Number.NEGATIVE_INFINITY,
  most: number = Number.POSITIVE_INFINITY,
): Parser<number> {
  return (value, loc, issues) => {
    const number = toInteger(value, loc, issues);
    if (number === undefined || (number >= least && number <= most)) return number;
    const [type, words, key, bound] =
      number > most
        ? ['less_than_equal', 'less than', 'le', most]
        : ['greater_than_equal', 'greater than', 'ge', least];
    const spelled = Number.isInteger(bound) ? BigInt(bound) : bound;
    const msg = `Input should be ${words} or equal to ${spelled}`;
    issues.push({ type, loc, msg, input: value, ctx: `{'${key}': ${spelled}}` });
    return undefined;
  };
}

/** An integer of 64 bits. The largest is no number of JavaScript: the next one is too large. */
export function integer64From(least: number): Parser<number> {
  const parse = integer(least);
  return (value, loc, issues) => {
    const number = parse(value, loc, issues);
    if (number === undefined || number < 2 ** 63) return number;
    const bound = '9223372036854775807';
    const msg = `Input should be less than or equal to ${bound}`;
    issues.push({ type: 'less_than_equal', loc, msg, input: value, ctx: `{'le': ${bound}}` });
    return undefined;
  };
}

export const integer64 = integer64From(-(2 ** 63));

/** Numbers from here on are written with an exponent, which makes them floats to Python. */
const floatsFrom = 1e21;

function toInteger(value: unknown, loc: string, issues: Issue[]): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      const msg = 'Input should be a finite number';
      issues.push({ type: 'finite_number', loc, msg, input: value });
      return undefined;
    }
    if (Math.abs(value) >= floatsFrom) {
      const msg = 'Unable to parse input string as an integer, exceeded maximum size';
      issues.push({ type: 'int_parsing_size', loc, msg, input: value });
      return undefined;
    }
    if (Number.isInteger(value)) return value;
    const msg = 'Input should be a valid integer, got a number with a fractional part';
    issues.push({ type: 'int_from_float', loc, msg, input: value });
  } else if (typeof value === 'string') {
    if (/^\s*[+-]?\d+(\.0*)?\s*$/.test(value)) return Number(value);
    const msg = 'Input should be a valid integer, unable to parse string as an integer';
    issues.push({ type: 'int_parsing', loc, msg, input: value });
  } else {
    issues.push({ type: 'int_type', loc, msg: 'Input should be a valid integer', input: value });
  }
  return undefined;
}

export const float: Parser<number> = (value, loc, issues) => {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return value;
  if (typeof value === 'string') {
    const word = /^\s*([+-]?)(inf|infinity|nan)\s*$/i.exec(value);
    if (word) {
      if (word[2]?.toLowerCase() === 'nan') return Number.NaN;
      return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    }
    const number = Number(value);
    if (value.trim() !== '' && !Number.isNaN(number)) return number;
    const msg = 'Input should be a valid number, unable to parse string as a number';
    issues.push({ type: 'float_parsing', loc, msg, input: value });
  } else {
    issues.push({ type: 'float_type', loc, msg: 'Input should be a valid number', input: value });
  }
  return undefined;
};

/** A number within bounds, both included. */
export function boundedFloat(least: number, most: number): Parser<number> {
  return (value, loc, issues) => {
    const number = float(value, loc, issues);
    if (number === undefined || (number >= least && number <= most)) return number;
    const [type, words, key, bound] =
      number > most
        ? ['less_than_equal', 'less than', 'le', most]
        : ['greater_than_equal', 'greater than', 'ge', least];
    const msg = `Input should be ${words} or equal to ${bound}`;
    issues.push({ type, loc, msg, input: value, ctx: `{'${key}': ${pythonFloat(bound)}}` });
    return undefined;
  };
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  t: true,
  yes: true,
  y: true,
  on: true,
  '1': true,
  false: false,
  f: false,
  no: false,
  n: false,
  off: false,
  '0': false,
};

export const boolean: Parser<boolean> = (value, loc, issues) => {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' || typeof value === 'number') {
    const truth = truths[String(value).toLowerCase()];
    if (truth !== undefined) return truth;
    if (typeof value === 'number' && (!Number.isInteger(value) || Math.abs(value) >= 2 ** 63)) {
      issues.push({ type: 'bool_type', loc, msg: 'Input should be a valid boolean', input: value });
      return undefined;
    }
    const msg = 'Input should be a valid boolean, unable to interpret input';
    issues.push({ type: 'bool_parsing', loc, msg, input: value });
  } else {
    issues.push({ type: 'bool_type', loc, msg: 'Input should be a valid boolean', input: value });
  }
  return undefined;
};

export const string: Parser<string> = (value, loc, issues) => {
  if (typeof value === 'string') return value;
  issues.push({ type: 'string_type', loc, msg: 'Input should be a valid string', input: value });
  return undefined;
};

/** A string of at least so many characters. */
export function stringOf(lengthMin: number): Parser<string> {
  return (value, loc, issues) => {
    const text = string(value, loc, issues);
    if (text === undefined || text.length >= lengthMin) return text;
    const msg = `String should have at least ${lengthMin} character${lengthMin === 1 ? '' : 's'}`;
    const ctx = `{'min_length': ${lengthMin}}`;
    issues.push({ type: 'string_too_short', loc, msg, input: value, ctx });
    return undefined;
  };
}

/** One of the strings given. */
export function literal<T extends string>(...allowed: readonly T[]): Parser<T> {
  const spelled = allowed.map((word) => `'${word}'`);
  const expected =
    spelled.length > 1
      ? `${spelled.slice(0, -1).join(', ')} or ${spelled.at(-1)}`
      : `${spelled[0]}`;
  return (value, loc, issues) => {
    if (allowed.includes(value as T)) return value as T;
    issues.push({
      type: 'literal_error',
      loc,
      msg: `Input should be ${expected}`,
      input: value,
      ctx: `{'expected': ${pythonRepr(expected)}}`,
    });
    return undefined;
  };
}

/** @param itemsMax How many items there may be. */
export function list<T>(
  item: Parser<T>,
  itemsMax: number = Number.POSITIVE_INFINITY,
): Parser<readonly T[]> {
  return (value, loc, issues) => {
    if (!Array.isArray(value)) {
      issues.push({ type: 'list_type', loc, msg: 'Input should be a valid list', input: value });
      return undefined;
    }
    const { length } = value;
    if (length > itemsMax) {
      const msg = `List should have at most ${itemsMax} items after validation, not ${length}`;
      const ctx = `{'field_type': 'List', 'max_length': ${itemsMax}, 'actual_length': ${length}}`;
      issues.push({ type: 'too_long', loc, msg, input: value, ctx });
      return undefined;
    }
    return value.map((entry, i) => item(entry, `${loc}.${i}`, issues) as T);
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

/** The first alternative that reads the value; the issues of all if none does. */
export function union<T extends readonly Parser<unknown>[]>(
  ...alternatives: T
): Parser<T[number] extends Parser<infer U> ? U : never> {
  return (value, loc, issues) => {
    const all: Issue[] = [];
    for (const alternative of alternatives) {
      const own: Issue[] = [];
      const read = alternative(value, loc, own);
      if (own.length === 0) return read as never;
      all.push(...own);
    }
    issues.push(...all);
    return undefined;
  };
}

/** What Python can go through: lists, objects by their keys, text by its characters. */
export const iterable: Parser<unknown> = (value, loc, issues) => {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return value;
  issues.push({ type: 'iterable_type', loc, msg: 'Input should be iterable', input: value });
  return undefined;
};

/** Whatever is there. */
export const anything: Parser<unknown> = (value) => value;

/** How vLLM shortens what it quotes. */
function inputText(input: unknown): string {
  if (Array.isArray(input)) return `<list of ${input.length} items>`;
  if (typeof input === 'object' && input !== null) {
    return `<dict of ${Object.keys(input).length} items>`;
  }
  if (typeof input === 'boolean') return input ? 'True' : 'False';
  return input === null || input === undefined ? 'None' : String(input);
}
