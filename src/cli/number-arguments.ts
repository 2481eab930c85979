// Numbers as arguments of flags; commander names the flag when one of these refuses.
import { InvalidArgumentError } from 'commander';

/** 1, 2, 3, … */
export function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number of at least 1.');
}

/** 0, 1, 2, … */
export function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== '') return value;
  throw new InvalidArgumentError('It must be a whole number, 0 or more.');
}

/** 0 and all above it. */
export function nonNegative(text: string): number {
  const value = Number(text);
  if (value >= 0 && Number.isFinite(value) && text.trim() !== '') return value;
  throw new InvalidArgumentError('It must be a number, 0 or more.');
}

/** All above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}
