// The flags that say when the requests of a benchmark are sent, by the names of `vllm bench serve`.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { RampUp } from '../../core/workload/index.ts';
import { numberIn, positive, positiveInteger } from '../arguments/numbers.ts';
import { duration } from '../arguments/quantities.ts';

/** Rate, concurrency and duration. */
export interface ArrivalFlags {
  readonly requestRate: number;
  readonly burstiness: number;
  readonly maxConcurrency?: number;
  readonly users?: number;
  readonly duration?: number;
  readonly rampUpStrategy?: RampUp['strategy'];
  readonly rampUpStartRps?: number;
  readonly rampUpEndRps?: number;
}

export function addArrivalFlags(command: Command): Command {
  return command
    .optionsGroup('Arrivals:')
    .option('--request-rate <n>', 'requests per second; inf: all at once', rateOrInf, Infinity)
    .option(
      '--burstiness <x>',
      'distribution of arrivals: 1 is Poisson, below 1 burstier, inf evenly spaced',
      rateOrInf,
      1,
    )
    .option(
      '--max-concurrency <n>',
      'maximum number of requests in flight; waiting for one counts as client lag',
      positiveInteger,
    )
    .option(
      '--users <n>',
      'closed loop: that many users, who each wait for a response before they ask again',
      positiveInteger,
    )
    .option('--duration <duration>', 'stop sending after this time', duration('s'))
    .addOption(
      new Option(
        '--ramp-up-strategy <name>',
        'how the rate grows, instead of --request-rate',
      ).choices(['linear', 'exponential']),
    )
    .option('--ramp-up-start-rps <n>', 'rate of the first request', positive)
    .option('--ramp-up-end-rps <n>', 'rate of the last request', positive);
}

function rateOrInf(text: string): number {
  if (text.trim().toLowerCase() === 'inf') return Number.POSITIVE_INFINITY;
  const value = numberIn(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0, or inf.');
}
