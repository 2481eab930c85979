// Kinds of values of settings, parsed as vLLM 0.32 parses them from a command line
// (vllm/engine/arg_utils.py and vllm/utils/argparse_utils.py).
import { InputError } from '../base/index.ts';

/** A kind of value: its parser, and its description. */
export interface ValueKind<T> {
  /**
   * - `switch`: no value, and `--no-…` for its opposite;
   * - `one`: one value;
   * - `many`: values up to the next flag; the last occurrence counts;
   * - `repeated`: one value per occurrence, all of which count.
   */
  readonly arity: 'switch' | 'one' | 'many' | 'repeated';
  /** As in `--help`, such as `<tokens>`. */
  readonly placeholder: string;
  /** Completes "must be …". */
  readonly allowed: string;
  /** All allowed values, if they can be listed. */
  readonly choices?: readonly string[];
  /**
   * @param texts As on the command line; none for a switch.
   * @param where Names the setting in errors.
   * @throws {InputError} If the value is not allowed.
   */
  readonly parse: (texts: readonly string[], where: string) => T;
}

export const toggle: ValueKind<boolean> = {
  ...{ arity: 'switch', placeholder: '', allowed: 'true or false' },
  parse: ([text = 'true'], where) => {
    if (text === 'true' || text === 'false') return text === 'true';
    throw refusal(where, text, 'true or false');
  },
};

export const text = (placeholder = '<name>'): ValueKind<string> =>
  single(placeholder, 'a text', (given) => given);

/** One of a list of words. */
export function choice<const C extends string>(
  choices: readonly C[],
  placeholder = '<name>',
): ValueKind<C> {
  const kind = single(placeholder, `one of ${choices.join(', ')}`, (given) =>
    choices.find((known) => known === given),
  );
  return { ...kind, choices };
}

const levels = choice(['trace', 'debug', 'info', 'warning', 'error', 'critical'], '<level>');

/** A level of the log, in upper case as in vLLM or in lower case; NOTSET logs everything. */
export const logLevel: typeof levels = {
  ...levels,
  parse: ([given = ''], where) => {
    const lower = given.toLowerCase();
    return levels.parse([lower === 'notset' ? 'trace' : lower], where);
  },
};

/** A whole number, as Python's int() reads it. */
export function count(least: number, placeholder = '<n>'): ValueKind<number> {
  return single(placeholder, `an integer of at least ${least}`, (given) =>
    atLeast(least, integerOf(given)),
  );
}

/** A port, or 0 for any free one. */
export const port: ValueKind<number> = single(
  '<port>',
  'a whole number from 0 to 65535',
  (given) => {
    const value = integerOf(given);
    return value !== undefined && value >= 0 && value <= 65_535 ? value : undefined;
  },
);

/** A whole number from a list. */
export function countOf(choices: readonly number[], placeholder = '<n>'): ValueKind<number> {
  const kind = single(placeholder, `one of ${choices.join(', ')}`, (given) =>
    choices.find((known) => known === integerOf(given)),
  );
  return { ...kind, choices: choices.map(String) };
}

/**
 * A whole number with a suffix: 25.6k is 25,600 and 32K is 32,768; likewise with m, g, t and M, G,
 * T. vLLM's `human_readable_int`.
 */
export function readableCount(least: number, placeholder = '<n>'): ValueKind<number> {
  const allowed = `an integer of at least ${least}, such as 8192, 8k or 8K (8,192)`;
  return single(placeholder, allowed, (given) => atLeast(least, readableInteger(given)));
}

/** The same, or `auto`, also written as -1. vLLM's `human_readable_int_or_auto`. */
export function readableCountOrAuto(
  least: number,
  placeholder = '<n>',
): ValueKind<number | 'auto'> {
  const allowed = `an integer of at least ${least}, such as 8192, 8k or 8K (8,192), or auto`;
  return single<number | 'auto'>(placeholder, allowed, (given) =>
    ['-1', 'auto'].includes(given.trim().toLowerCase())
      ? 'auto'
      : atLeast(least, readableInteger(given)),
  );
}

/** A number of at least 0. */
export const amount = (placeholder = '<n>'): ValueKind<number> =>
  single(placeholder, 'a number of at least 0', (given) => atLeast(0, numberOf(given)));

/** A number above 0. */
export const positive = (placeholder = '<n>'): ValueKind<number> =>
  single(placeholder, 'a number above 0', (given) => {
    const value = numberOf(given);
    return value !== undefined && value > 0 && Number.isFinite(value) ? value : undefined;
  });

/** A number above 0 and up to 1. */
export const share: ValueKind<number> = single(
  '<share>',
  'a number above 0 and up to 1',
  (given) => {
    const value = numberOf(given);
    return value !== undefined && value > 0 && value <= 1 ? value : undefined;
  },
);

/** A number above 0, or `inf`. */
export const rate: ValueKind<number> = single('<x>', 'a number above 0, or inf', (given) => {
  if (/^inf(inity)?$/i.test(given)) return Number.POSITIVE_INFINITY;
  const value = numberOf(given);
  return value !== undefined && value > 0 ? value : undefined;
});

/** Values up to the next flag. */
export const texts = (placeholder = '<names...>'): ValueKind<readonly string[]> => ({
  ...{ arity: 'many', placeholder, allowed: 'texts' },
  parse: (given) => given,
});

/** One value per occurrence. */
export const repeated = (placeholder: string): ValueKind<readonly string[]> => ({
  ...{ arity: 'repeated', placeholder, allowed: 'a text' },
  parse: (given) => given,
});

/** A JSON array of strings. */
export const jsonTexts: ValueKind<readonly string[]> = single(
  '<json>',
  'a JSON array of strings, e.g. ["*"]',
  (given) => {
    const value = jsonOf(given);
    const areTexts = Array.isArray(value) && value.every((one) => typeof one === 'string');
    return areTexts ? (value as string[]) : undefined;
  },
);

/** JSON that another codec parses; its errors name the flag. */
export const json = <T>(parse: (given: string) => T): ValueKind<T> => ({
  ...{ arity: 'one', placeholder: '<json>', allowed: 'a JSON object' },
  parse: ([given = '']) => parse(given),
});

/** @throws {InputError} If the text is not a JSON object. */
export function jsonObject(
  where: string,
  given: string,
  allowed = 'a JSON object',
): Readonly<Record<string, unknown>> {
  const value = jsonOf(given);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw refusal(where, given, allowed);
}

/** vLLM's `human_readable_int`; undefined if vLLM refuses the text. */
export function readableInteger(given: string): number | undefined {
  const [, digits, suffix = ''] = /^\s*(\d+(?:\.\d+)?)([kKmMgGtT])\s*$/.exec(given) ?? [];
  if (digits === undefined) return integerOf(given);
  const power = 'kmgt'.indexOf(suffix.toLowerCase()) + 1;
  if (suffix === suffix.toLowerCase()) return Math.trunc(Number(digits) * 1000 ** power);
  // A fraction with a binary suffix is refused, because 1.5K is ambiguous: 1500 or 1536.
  return digits.includes('.') ? undefined : Number(digits) * 1024 ** power;
}

/**
 * Python's int(): allows spaces around the number, a sign, and single underscores between digits.
 */
function integerOf(given: string): number | undefined {
  if (!/^\s*[+-]?\d+(_\d+)*\s*$/.test(given)) return undefined;
  const value = Number(given.replaceAll('_', ''));
  return Number.isSafeInteger(value) ? value : undefined;
}

function numberOf(given: string): number | undefined {
  const value = Number(given);
  return given.trim() === '' || Number.isNaN(value) ? undefined : value;
}

function atLeast(least: number, value: number | undefined): number | undefined {
  return value !== undefined && value >= least ? value : undefined;
}

function single<T>(
  placeholder: string,
  allowed: string,
  read: (given: string) => T | undefined,
): ValueKind<T> {
  return {
    ...{ arity: 'one', placeholder, allowed },
    parse: ([given = ''], where) => {
      const value = read(given);
      if (value !== undefined) return value;
      throw refusal(where, given, allowed);
    },
  };
}

function refusal(where: string, given: string, allowed: string): InputError {
  return new InputError(`${where} is "${given}"; it must be ${allowed}.`);
}

function jsonOf(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}
