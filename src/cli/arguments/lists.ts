// Parses lists and addresses in arguments of flags; the flag that goes with lists of values files.
import { InvalidArgumentError } from 'commander';
import { isWithin, numberIn } from './numbers.ts';

/** Parses percentiles between 0 and 100, in the given order. */
export function percentiles(text: string): number[] {
  return text.split(',').map((part) => {
    const value = numberIn(part);
    if (isWithin(value, { above: 0 }) && value < 100) return value;
    throw new InvalidArgumentError(
      'It must be a list of numbers between 0 and 100, e.g. 50,90,99.',
    );
  });
}

/** Flag of the commands that read values files. */
export const subchartFlag = [
  '--subchart <key>',
  'read what the files have below this key: values of a chart that contains this one',
] as const;

/** Collects the values of a flag that may be repeated. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

export function httpUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new InvalidArgumentError(
    'It must be an http:// or https:// URL, such as http://10.0.0.7:8000.',
  );
}
