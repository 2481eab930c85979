// The flags of measurements that run a load again and again: lists of loads, and the search within a service level.
import { type Command, InvalidArgumentError } from 'commander';
import { numberIn, positive, positiveInteger } from '../arguments/numbers.ts';

/** Most loads of a sweep; more means a mistake in the list. */
const loadsMax = 100;

/** The flags of a search for the highest rate within a service level. */
export interface SloFlags {
  readonly slo?: readonly string[];
  readonly sloShare: number;
  readonly precision: number;
  readonly maxRuns: number;
}

/**
 * Share of the requests that must be within the service level.
 *
 * @see Y. Zhong et al., "DistServe", OSDI 2024: goodput at 90 % attainment
 */
const sloShareDefault = 0.9;

export function addSloFlags(command: Command): Command {
  return command
    .optionsGroup('Service level:')
    .option(
      '--slo <limit...>',
      'find the highest rate at which responses keep these limits: ttft=200ms,tpot=50ms,e2el=2s',
    )
    .option(
      '--slo-share <share>',
      'share of the requests that must keep them, such as 99%',
      share,
      sloShareDefault,
    )
    .option(
      '--precision <share>',
      'end when the failing rate is at most this much above the holding one',
      share,
      0.05,
    )
    .option(
      '--max-runs <n>',
      'runs at one rate while the interval of its share contains the goal',
      positiveInteger,
      3,
    );
}

/** Parses 5% or 0.05. */
export function share(text: string): number {
  const isPercent = text.trim().endsWith('%');
  const value = numberIn(isPercent ? text.trim().slice(0, -1) : text) / (isPercent ? 100 : 1);
  if (value >= 0 && value < 1) return value;
  throw new InvalidArgumentError('It must be a share such as 5% or 0.05.');
}

/** Parses `1,2,4,8`, `2:10:2` and `1:64:x2`, in ascending order. */
export function loadList(read: (text: string) => number): (text: string) => readonly number[] {
  return (text) => {
    const range = /^([^:,]+):([^:,]+):(x?)([^:,]+)$/.exec(text.trim());
    const loads = range === null ? text.split(',').map((part) => read(part)) : rangeOf(range, read);
    if (loads.length > loadsMax) {
      throw new InvalidArgumentError(
        `It has ${loads.length} loads; at most ${loadsMax} are allowed.`,
      );
    }
    return [...new Set(loads)].sort((a, b) => a - b);
  };
}

function rangeOf(range: RegExpExecArray, read: (text: string) => number): number[] {
  const [, fromText = '', toText = '', times, byText = ''] = range;
  const [from, to, by] = [read(fromText), read(toText), positive(byText)];
  const isGrowing = times === '' || by > 1;
  if (from > to || !isGrowing) {
    throw new InvalidArgumentError(
      'It must be FROM:TO:STEP or FROM:TO:xFACTOR with FROM <= TO and a factor above 1.',
    );
  }
  const loads: number[] = [];
  // A little above the end, as steps of 0.1 add up to less or more than they should.
  for (let load = from; load <= to * (1 + 1e-9) && loads.length <= loadsMax; ) {
    loads.push(Number(load.toPrecision(12)));
    load = times === 'x' ? load * by : load + by;
  }
  return loads;
}
