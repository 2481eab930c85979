// Values of flags, read and checked one by one; each reader names its flag when it refuses.
import { InputError } from '../../core/base/index.ts';

export function integer(flag: string, least: number): (text: string) => number {
  return (text) => {
    if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
    throw new InputError(`${flag} is "${text}"; it must be an integer of at least ${least}.`);
  };
}

/** vLLM's readable integers: 32k is 32,000 and 32K is 32,768. */
export function tokens(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(text);
    const factor = { '': 1, k: 1e3, K: 1024, m: 1e6, M: 1_048_576 }[match?.[2] ?? ''];
    const value = Math.round(Number(match?.[1]) * (factor ?? Number.NaN));
    if (value >= 1) return value;
    throw new InputError(`${flag} is "${text}"; it must be a count of tokens such as 8192 or 8K.`);
  };
}

export function number(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= 0) return value;
    throw new InputError(`${flag} is "${text}"; it must be a number of at least 0.`);
  };
}

export function positive(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
    throw new InputError(`${flag} is "${text}"; it must be a number above 0.`);
  };
}

/** A number above 0 and up to 1. */
export function share(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value > 0 && value <= 1) return value;
    throw new InputError(`${flag} is "${text}"; it must be a number above 0 and up to 1.`);
  };
}

/** GPU seconds per wall second, or `inf`. */
export function timeScale(text: string): number {
  if (/^inf(inity)?$/i.test(text)) return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (value > 0) return value;
  throw new InputError(`--time-scale is "${text}"; it must be a number above 0, or inf.`);
}

/** A JSON array of strings, as vLLM reads its lists. */
export function stringList(flag: string): (text: string) => readonly string[] {
  return (text) => {
    const value = parsed(text);
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw new InputError(`${flag} is "${text}"; it must be a JSON array of strings, e.g. ["*"].`);
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** For flags that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/**
 * Leaves only the last occurrence of a flag that takes several values.
 *
 * @example lastOccurrence(['--name', 'a', '--port', '1', '--name', 'b'], '--name'); // ['--port', '1', '--name', 'b']
 */
export function lastOccurrence(args: readonly string[], flag: string): string[] {
  const last = args.lastIndexOf(flag);
  let isDropped = false;
  return args.filter((arg, i) => {
    if (arg === flag) isDropped = i < last;
    else if (arg.startsWith('-')) isDropped = false;
    return !isDropped;
  });
}
