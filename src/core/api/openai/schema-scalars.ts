// Parses numbers, booleans and text of a JSON body with Pydantic's coercions.
import { pythonFloat, pythonRepr } from './python-repr.ts';
import type { Issue, Parser } from './schema-report.ts';

/** @param least Smallest allowed integer. @param most Largest allowed integer. */
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

/** An integer above `bound`. */
export function integerAbove(bound: number): Parser<number> {
  return (value, loc, issues) => {
    const number = toInteger(value, loc, issues);
    if (number === undefined || number > bound) return number;
    const msg = `Input should be greater than ${bound}`;
    issues.push({ type: 'greater_than', loc, msg, input: value, ctx: `{'gt': ${bound}}` });
    return undefined;
  };
}

/** An integer that is written as such: no text, no boolean, no `1.0` for `1`. */
export const strictInteger: Parser<number> = (value, loc, issues) => {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  issues.push({ type: 'int_type', loc, msg: 'Input should be a valid integer', input: value });
  return undefined;
};

/**
 * A 64-bit integer. JavaScript cannot represent the largest one: the next number above it is too
 * large.
 */
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

/** Numbers from here on are written with an exponent, which makes them floats in Python. */
export const floatsFrom = 1e21;

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

/** A string with a bounded number of characters. */
export function stringOf(
  lengthMin: number,
  lengthMax: number = Number.POSITIVE_INFINITY,
): Parser<string> {
  return (value, loc, issues) => {
    const text = string(value, loc, issues);
    if (text === undefined) return undefined;
    const length = [...text].length;
    if (length >= lengthMin && length <= lengthMax) return text;
    const [kind, words, key, bound] =
      length < lengthMin
        ? ['too_short', 'least', 'min_length', lengthMin]
        : ['too_long', 'most', 'max_length', lengthMax];
    const msg = `String should have at ${words} ${bound} character${bound === 1 ? '' : 's'}`;
    issues.push({ type: `string_${kind}`, loc, msg, input: value, ctx: `{'${key}': ${bound}}` });
    return undefined;
  };
}

/** One of the given strings. */
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
