// Parses quantities with a unit in arguments of flags: durations, sizes in bytes, counts of tokens.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TimeUnit } from '../../core/traces/index.ts';
import { isWithin, type NumberRange, numberIn, refusal } from './numbers.ts';

const unitSeconds = { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

export type DurationUnit = keyof typeof unitSeconds;

/**
 * Parses a duration such as 90s, 24h or 7d; a plain number is in the unit of the flag.
 *
 * @returns A reader whose values are in `unit`.
 * @example duration('s')('90m'); // 5400
 * @example duration('h')('90m'); // 1.5
 */
export function duration(
  unit: DurationUnit,
  range: NumberRange = { above: 0 },
): (text: string) => number {
  return (text) => {
    const value = durationIn(text, unit);
    if (isWithin(value, range)) return value;
    const bare = `${range.isWhole ? 'whole ' : ''}number of ${unitNames[unit]}`;
    throw refusal(`a duration such as 24h, 90m or 30s, or a ${bare}`, range);
  };
}

/** Parses a duration such as 90s, 24h or 7d into seconds; refuses a plain number, whose unit would be unclear. */
export function durationWithUnit(text: string): number {
  const value = /[a-z]\s*$/i.test(text) ? durationIn(text, 's') : Number.NaN;
  if (isWithin(value, { above: 0 })) return value;
  throw new InvalidArgumentError('It must be a duration with its unit, such as 24h, 90m or 30s.');
}

const unitNames: Readonly<Record<DurationUnit, string>> = {
  ...{ ms: 'milliseconds', s: 'seconds', m: 'minutes', h: 'hours', d: 'days', w: 'weeks' },
};

/** Parses a duration; NaN for any other text. */
export function durationIn(text: string, unit: DurationUnit): number {
  const [, digits = '', suffix] = /^(.*?)\s*(ms|[smhdw])?$/.exec(text.trim()) ?? [];
  const value = numberIn(digits);
  if (suffix === undefined || suffix === unit) return value;
  return (value * unitSeconds[suffix as DurationUnit]) / unitSeconds[unit];
}

const byteUnits: Readonly<Record<string, number>> = {
  ...{ '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/**
 * Parses a size of memory: bytes, or a share of what there is, such as 75%.
 *
 * @param bytesThere Memory of the container, or of the machine.
 */
export function memorySize(range: NumberRange & { readonly bytesThere: number }) {
  const { bytesThere, ...bounds } = range;
  const bytes = byteSize(bounds);
  return (text: string): number => {
    const [, share] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? [];
    if (share === undefined) return bytes(text);
    const percent = Number(share);
    if (percent > 0 && percent <= 100) {
      return Math.max(bounds.min ?? 1, Math.floor((bytesThere * percent) / 100));
    }
    throw new InvalidArgumentError('A share of the memory must be above 0 % and at most 100 %.');
  };
}

/** Parses a size such as 65536, 64MiB or 1GB. */
export function byteSize(range: NumberRange = { min: 1 }): (text: string) => number {
  return (text) => {
    const [, digits = '', unit = ''] = /^(.*?)\s*([kmgt]?i?b)?$/i.exec(text.trim()) ?? [];
    const value = numberIn(digits) * (byteUnits[unit.toLowerCase()] ?? Number.NaN);
    if (Number.isSafeInteger(value) && isWithin(value, range)) return value;
    throw refusal('a number of bytes', { example: '67108864, 64MiB or 1GB', ...range });
  };
}

const countUnits = { k: 1e3, K: 2 ** 10, m: 1e6, M: 2 ** 20, g: 1e9, G: 2 ** 30 } as const;

/** Parses a count as vLLM does: 8192, 8K for 8192, 8k for 8000. */
export function humanCount(text: string): number {
  const [, digits = '', unit] = /^([\d.e+]+)([kKmMgG])?$/.exec(text.trim()) ?? [];
  const value =
    numberIn(digits) * (unit === undefined ? 1 : countUnits[unit as keyof typeof countUnits]);
  const whole = unit === undefined ? value : Math.trunc(value);
  if (Number.isSafeInteger(whole) && whole >= 1) return whole;
  throw new InvalidArgumentError(
    'It must be a whole number of at least 1, such as 8192, 8K (8192) or 8k (8000).',
  );
}

/** Adds `--trace-unit`, which all commands that read traces have. */
export function addTraceUnitFlag(command: Command): Command {
  const units: readonly TimeUnit[] = ['s', 'ms'];
  return command.addOption(
    new Option(
      '--trace-unit <unit>',
      'unit of the timestamps of a trace with block ids (default: seconds with the fields of Qwen-Bailian, else what gives a plausible rate)',
    ).choices(units),
  );
}
