// Parses numbers in arguments of flags. Commander puts the flag and the value before the parser's error.
import { InvalidArgumentError } from 'commander';

export interface NumberRange {
  /** Minimum value. */
  readonly min?: number;
  /** Maximum value. */
  readonly max?: number;
  /** Exclusive lower bound. */
  readonly above?: number;
  /** Whether fractions are refused. @default false */
  readonly isWhole?: boolean;
  /** A valid value, for the error message. @default none */
  readonly example?: string;
}

/** Parses a whole number. */
export function integer(range: NumberRange = {}): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (isWithin(value, { ...range, isWhole: true })) return value;
    throw refusal('a whole number', range);
  };
}

/**
 * Parses a number with or without a fraction.
 *
 * @param what Its name in the error.
 */
export function number(range: NumberRange = {}, what = 'a number'): (text: string) => number {
  return (text) => {
    const value = numberIn(text);
    if (isWithin(value, range)) return value;
    throw refusal(what, range);
  };
}

/** 1, 2, 3, … */
export const positiveInteger = integer({ min: 1 });
/** 0, 1, 2, … */
export const nonNegativeInteger = integer({ min: 0 });
/** 0 or more. */
export const nonNegative = number({ min: 0 });
/** More than 0. */
export const positive = number({ above: 0 });
/** More than 0, or `inf`. */
export const positiveOrInfinite = (text: string): number =>
  /^\+?inf(inity)?$/i.test(text.trim()) ? Number.POSITIVE_INFINITY : positiveBelowInfinity(text);
const positiveBelowInfinity = number({ above: 0 }, 'inf, or a number');
/** More than 0 and at most 1. */
export const share = number({ above: 0, max: 1, example: '0.92' }, 'a share');
/** A port of a URL. */
export const port = integer({ min: 1, max: 65_535, example: '8000' });
/** A port, or 0 for any free one. */
export const portOrAny = integer({ min: 0, max: 65_535, example: '8000' });

/** Parses a finite number; NaN for any other text. */
export function numberIn(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}

export function isWithin(value: number, { min, max, above, isWhole }: NumberRange): boolean {
  return (
    !Number.isNaN(value) &&
    (!isWhole || Number.isSafeInteger(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above)
  );
}

/** Returns an error such as `It must be a whole number from 1 to 65535, such as 8000.` */
export function refusal(what: string, { min, max, above, example }: NumberRange): Error {
  const least = above === undefined ? min : undefined;
  const bounds =
    least !== undefined && max !== undefined
      ? ` from ${least} to ${max}`
      : [
          above === undefined ? '' : ` above ${above}`,
          least === undefined ? '' : ` of at least ${least}`,
          max === undefined ? '' : `${above === undefined ? '' : ' and'} at most ${max}`,
        ].join('');
  const such = example === undefined ? '' : `, such as ${example}`;
  return new InvalidArgumentError(`It must be ${what}${bounds}${such}.`);
}
